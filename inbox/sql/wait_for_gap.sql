-- What waited behind the block waits for its version now, most of it for the
-- moment that the next transaction needs to apply it, unless another block follows.
UPDATE factline.held_event h
SET reason = 'GAP'
WHERE h.consumer = $1 AND h.topic = $2 AND h.tenant_id = $3 AND h.block_key = $4 AND h.reason = 'BLOCKED'
  AND NOT EXISTS (
      SELECT FROM factline.blocked_key b
      WHERE b.consumer = $1 AND b.topic = $2 AND b.tenant_id = $3 AND b.record_key = $4
  )
