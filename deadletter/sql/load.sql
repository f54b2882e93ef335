SELECT d.consumer, d.topic, d.partition, d."offset", d.tenant_id, d.aggregate_type, d.aggregate_id, d.aggregate_version,
    d.event_id, d.error_class, d.blocks, d.block_key, d.state, g.version, g.version IS NOT NULL
FROM factline.dead_letter d
LEFT JOIN LATERAL (
    SELECT version
    FROM factline.gate
    WHERE consumer = d.consumer AND topic = d.topic
      AND tenant_id = d.tenant_id AND aggregate_type = d.aggregate_type AND aggregate_id = d.aggregate_id
    LIMIT 1
) g ON true
WHERE d.dead_letter_id = $1
FOR UPDATE OF d
