-- How far a group has come with an aggregate, the lowest version of it that waits,
-- where what waits stands, and where the last applied event stood.
SELECT COALESCE(g.version, 0), COALESCE(w.next, 0), w.held, COALESCE(w.partitions, '{}'), COALESCE(i.partition, -1), COALESCE(i."offset", -1)
FROM (SELECT 1) AS one
LEFT JOIN factline.gate g ON g.consumer = @consumer AND g.topic = @topic
    AND g.tenant_id = @tenant_id AND g.aggregate_type = @aggregate_type AND g.aggregate_id = @aggregate_id
LEFT JOIN factline.inbox i ON i.consumer = g.consumer AND i.event_id = g.event_id AND i.topic = g.topic
CROSS JOIN LATERAL (
    SELECT min(aggregate_version) AS next, count(*) FILTER (WHERE is_held) AS held, array_agg(DISTINCT partition) AS partitions
    FROM (
        SELECT aggregate_version, partition, true AS is_held
        FROM factline.held_event
        WHERE consumer = @consumer AND topic = @topic AND tenant_id = @tenant_id
          AND aggregate_type = @aggregate_type AND aggregate_id = @aggregate_id AND reason <> 'CONFLICT'
        UNION ALL
        SELECT aggregate_version, partition, false
        FROM factline.dead_letter
        WHERE consumer = @consumer AND topic = @topic AND tenant_id = @tenant_id
          AND aggregate_type = @aggregate_type AND aggregate_id = @aggregate_id AND blocks AND state IN ('OPEN', 'REDRIVEN')
    ) AS waiting
    WHERE aggregate_version > COALESCE(g.version, 0)
) AS w
