SELECT k.n, g.version, g.event_id, g.is_baseline
FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS k (tenant_id, aggregate_type, aggregate_id, n)
JOIN factline.gate g
  ON g.consumer = $1 AND g.topic = $2
 AND g.tenant_id = k.tenant_id AND g.aggregate_type = k.aggregate_type AND g.aggregate_id = k.aggregate_id
