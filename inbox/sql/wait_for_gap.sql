-- What waited behind the blocks waits for its version now, most of it for the
-- moment that the next transaction needs to apply it, unless another block follows.
-- By row address, as in let_go, and by its key, as in block_by_next.
UPDATE factline.held_event
SET reason = 'GAP'
WHERE ctid = ANY (ARRAY(
    SELECT h.ctid
    FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, block_key)
    CROSS JOIN LATERAL (
        SELECT ctid
        FROM factline.held_event
        WHERE block_key = k.block_key AND tenant_id = k.tenant_id AND consumer IS NOT DISTINCT FROM $1 AND topic IS NOT DISTINCT FROM $2 AND reason = 'BLOCKED'
        OFFSET 0
    ) h
    WHERE NOT EXISTS (
        SELECT FROM factline.blocked_key b
        WHERE b.consumer = $1 AND b.topic = $2 AND b.tenant_id = k.tenant_id AND b.record_key = k.block_key
        OFFSET 0
    )
))
