-- Aggregates whose events wait for a version that has not arrived, the longest
-- first. A dead letter waits like a held event: it cannot be settled before. Where a
-- log had lost its start, an aggregate may begin with any version.
SELECT w.consumer, w.topic, w.partition, w.tenant_id, w.aggregate_type, w.aggregate_id,
    COALESCE(g.version, 0) + 1 AS from_version, min(w.aggregate_version) - 1 AS to_version,
    count(*) FILTER (WHERE w.is_held) AS held_events, min(w.since) AS since
FROM (
    SELECT consumer, topic, partition, tenant_id, aggregate_type, aggregate_id, aggregate_version, held_at AS since, true AS is_held
    FROM factline.held_event
    WHERE reason <> 'CONFLICT'
    UNION ALL
    SELECT consumer, topic, partition, tenant_id, aggregate_type, aggregate_id, aggregate_version, failed_at, false
    FROM factline.dead_letter
    WHERE blocks AND state IN ('OPEN', 'REDRIVEN') AND aggregate_version > 0
) AS w
LEFT JOIN factline.gate g ON g.consumer = w.consumer AND g.topic = w.topic
    AND g.tenant_id = w.tenant_id AND g.aggregate_type = w.aggregate_type AND g.aggregate_id = w.aggregate_id
LEFT JOIN factline.consumer_offset o ON o.consumer = w.consumer AND o.topic = w.topic AND o.partition = w.partition
WHERE g.version IS NOT NULL OR o.cut_start IS NOT TRUE
GROUP BY w.consumer, w.topic, w.partition, w.tenant_id, w.aggregate_type, w.aggregate_id, g.version
HAVING min(w.aggregate_version) > COALESCE(g.version, 0) + 1
ORDER BY since
LIMIT 1000
