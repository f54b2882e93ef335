SELECT b.tenant_id, b.record_key, b.aggregate_type, b.aggregate_id, b.aggregate_version, b.event_id
FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, record_key)
JOIN factline.blocked_key b
  ON b.consumer = $1 AND b.topic = $2 AND b.tenant_id = k.tenant_id AND b.record_key = k.record_key
