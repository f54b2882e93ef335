SELECT d.consumer, d.topic, d.partition, d."offset", d.tenant_id, d.aggregate_type, d.aggregate_id, d.aggregate_version,
    d.event_id, d.error_class, d.blocks, d.block_key, d.state, g.version, g.version IS NOT NULL
FROM factline.dead_letter d
LEFT JOIN factline.gate g
  ON g.consumer = d.consumer AND g.topic = d.topic
 AND g.tenant_id = d.tenant_id AND g.aggregate_type = d.aggregate_type AND g.aggregate_id = d.aggregate_id
WHERE d.dead_letter_id = $1
FOR UPDATE OF d
