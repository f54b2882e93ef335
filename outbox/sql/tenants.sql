-- Whose events wait, as far as the first of each lane say. What is done above the
-- mark is left out: published, or parked and perhaps skipped since. What is set
-- aside above it is among the events.
WITH waiting AS MATERIALIZED (
    SELECT l.lane, e.tenant_id, e.created_at
    FROM factline.outbox_lane l CROSS JOIN LATERAL (
        SELECT e.tenant_id, e.created_at
        FROM factline.outbox_event e
        WHERE e.lane = l.lane AND e.position > l.low_water
            AND NOT EXISTS (
                SELECT FROM factline.outbox_receipt r
                WHERE r.lane = l.lane AND r.last_position >= e.position AND r.first_position <= e.position AND e.position = ANY(r.positions))
            AND NOT EXISTS (
                SELECT FROM factline.outbox_parked k WHERE k.lane = l.lane AND k.position = e.position AND k.shelf IS NULL)
        ORDER BY e.position
        LIMIT @most::int
    ) AS e
    UNION ALL
    SELECT l.lane, k.tenant_id, k.created_at
    FROM factline.outbox_lane l CROSS JOIN LATERAL (
        SELECT k.tenant_id, k.created_at
        FROM factline.outbox_parked k
        WHERE k.lane = l.lane AND k.shelf IS NOT NULL AND k.position <= l.low_water
        LIMIT @most::int
    ) AS k
)
SELECT tenant_id, count(*) AS pending, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_seconds,
    EXISTS (SELECT FROM waiting GROUP BY lane HAVING count(*) >= @most::int) AS is_cut
FROM waiting
GROUP BY tenant_id
ORDER BY pending DESC, tenant_id
LIMIT @limit::int
