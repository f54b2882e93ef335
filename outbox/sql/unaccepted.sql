-- One step along the index for each topic of each lane, so that none is missing
-- because another one has very much.
WITH RECURSIVE found AS (
    (SELECT k.lane, k.topic
    FROM factline.outbox_parked k
    WHERE k.shelf IS NOT NULL
    ORDER BY k.lane, k.topic LIMIT 1)
    UNION ALL
    SELECT next.*
    FROM found CROSS JOIN LATERAL (
        SELECT k.lane, k.topic
        FROM factline.outbox_parked k
        WHERE k.shelf IS NOT NULL AND (k.lane, k.topic) > (found.lane, found.topic)
        ORDER BY k.lane, k.topic LIMIT 1
    ) AS next
)
SELECT found.topic, sum(counted.events)::bigint AS events
FROM found CROSS JOIN LATERAL (
    SELECT count(*) AS events
    FROM (
        SELECT FROM factline.outbox_parked k
        WHERE k.lane = found.lane AND k.topic = found.topic AND k.shelf IS NOT NULL
        LIMIT @count_limit::int
    ) AS page
) AS counted
GROUP BY found.topic
