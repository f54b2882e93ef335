-- One step along the index for each shelf, however many events are on it.
WITH RECURSIVE found AS (
    (SELECT k.lane, k.topic, k.shelf
    FROM factline.outbox_parked k
    WHERE k.lane = @lane::smallint AND k.shelf IS NOT NULL
    ORDER BY k.lane, k.topic, k.shelf LIMIT 1)
    UNION ALL
    SELECT next.*
    FROM found CROSS JOIN LATERAL (
        SELECT k.lane, k.topic, k.shelf
        FROM factline.outbox_parked k
        WHERE k.lane = found.lane AND k.shelf IS NOT NULL AND (k.topic, k.shelf) > (found.topic, found.shelf)
        ORDER BY k.lane, k.topic, k.shelf LIMIT 1
    ) AS next
)
SELECT topic, shelf FROM found
