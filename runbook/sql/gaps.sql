-- Aggregates whose events wait for a version that has not arrived, the longest first.
SELECT h.consumer, h.topic, h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id,
    COALESCE(g.version, 0) + 1 AS from_version, min(h.aggregate_version) - 1 AS to_version, count(*) AS held_events, min(h.held_at) AS since
FROM factline.held_event h
LEFT JOIN factline.gate g ON g.consumer = h.consumer AND g.topic = h.topic
    AND g.tenant_id = h.tenant_id AND g.aggregate_type = h.aggregate_type AND g.aggregate_id = h.aggregate_id
WHERE h.reason = 'GAP'
GROUP BY h.consumer, h.topic, h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id, g.version
HAVING min(h.aggregate_version) > COALESCE(g.version, 0) + 1
ORDER BY since
LIMIT 1000
