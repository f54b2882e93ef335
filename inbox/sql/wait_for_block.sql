-- What waited for a missing version waits for the operator now.
UPDATE factline.held_event h
SET reason = 'BLOCKED'
FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, block_key)
JOIN factline.blocked_key b ON b.consumer = $1 AND b.topic = $2 AND b.tenant_id = k.tenant_id AND b.record_key = k.block_key
WHERE h.consumer = $1 AND h.topic = $2 AND h.tenant_id = k.tenant_id AND h.block_key = k.block_key AND h.reason = 'GAP'
  AND (b.aggregate_type <> h.aggregate_type OR b.aggregate_id <> h.aggregate_id OR b.aggregate_version <= h.aggregate_version)
