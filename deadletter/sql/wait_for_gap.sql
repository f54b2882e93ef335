-- What waited behind the block waits for its version now, most of it for the
-- moment that the consumer needs to apply it.
UPDATE factline.held_event
SET reason = 'GAP'
WHERE consumer = $1 AND topic = $2 AND tenant_id = $3 AND block_key = $4 AND reason = 'BLOCKED'
