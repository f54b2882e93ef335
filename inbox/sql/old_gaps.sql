SELECT h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id, min(h.aggregate_version), max(COALESCE(g.version, 0)), count(*), min(h.held_at)
FROM factline.held_event h
LEFT JOIN LATERAL (
    SELECT version
    FROM factline.gate
    WHERE consumer = h.consumer AND topic = h.topic
      AND tenant_id = h.tenant_id AND aggregate_type = h.aggregate_type AND aggregate_id = h.aggregate_id
    LIMIT 1
) g ON true
WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = ANY ($3::int[]) AND h.reason = 'GAP'
GROUP BY h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id
HAVING min(h.held_at) < $4
ORDER BY min(h.held_at)
LIMIT 20
