-- Whose events wait, as far as the first of each lane say. What is done above the
-- mark is left out: published, or parked and perhaps skipped since. What is set
-- aside above it is among the events. The statement before says how to read, as it
-- does for the relay.
WITH page AS MATERIALIZED (
    SELECT l.lane, e.position, e.tenant_id, e.created_at
    FROM factline.outbox_lane l CROSS JOIN LATERAL (
        SELECT e.position, e.tenant_id, e.created_at
        FROM factline.outbox_event e
        WHERE e.lane = l.lane AND e.position > l.low_water
        ORDER BY e.position
        LIMIT @most::int
    ) AS e
), aside AS MATERIALIZED (
    SELECT l.lane, k.tenant_id, k.created_at
    FROM factline.outbox_lane l CROSS JOIN LATERAL (
        SELECT k.tenant_id, k.created_at
        FROM factline.outbox_parked k
        WHERE k.lane = l.lane AND k.shelf IS NOT NULL AND k.position <= l.low_water
        LIMIT @most::int
    ) AS k
), done AS MATERIALIZED (
    SELECT l.lane, p.position
    FROM factline.outbox_lane l
    JOIN factline.outbox_receipt r ON r.lane = l.lane AND r.last_position > l.low_water
    CROSS JOIN LATERAL unnest(r.positions) AS p(position)
    UNION ALL
    SELECT l.lane, k.position
    FROM factline.outbox_lane l
    JOIN factline.outbox_parked k ON k.lane = l.lane AND k.position > l.low_water AND k.shelf IS NULL
), waiting AS (
    SELECT tenant_id, created_at
    FROM page
    WHERE NOT EXISTS (SELECT FROM done WHERE done.lane = page.lane AND done.position = page.position)
    UNION ALL
    SELECT tenant_id, created_at FROM aside
)
SELECT tenant_id, count(*) AS pending, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_seconds,
    EXISTS (SELECT FROM page GROUP BY lane HAVING count(*) >= @most::int)
        OR EXISTS (SELECT FROM aside GROUP BY lane HAVING count(*) >= @most::int) AS is_cut
FROM waiting
GROUP BY tenant_id
ORDER BY pending DESC, tenant_id
LIMIT @limit::int
