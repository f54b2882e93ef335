-- What waited for a missing version waits for the operator now. By row address, as
-- in let_go, and by its key, as in block_by_next.
UPDATE factline.held_event
SET reason = 'BLOCKED'
WHERE ctid = ANY (ARRAY(
    SELECT h.ctid
    FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, block_key)
    CROSS JOIN LATERAL (
        SELECT aggregate_type, aggregate_id, aggregate_version
        FROM factline.blocked_key
        WHERE consumer = $1 AND topic = $2 AND tenant_id = k.tenant_id AND record_key = k.block_key
        LIMIT 1
    ) b
    CROSS JOIN LATERAL (
        SELECT ctid
        FROM factline.held_event e
        WHERE e.block_key = k.block_key AND e.tenant_id = k.tenant_id AND e.consumer IS NOT DISTINCT FROM $1 AND e.topic IS NOT DISTINCT FROM $2 AND e.reason = 'GAP'
          AND (b.aggregate_type <> e.aggregate_type OR b.aggregate_id <> e.aggregate_id OR b.aggregate_version <= e.aggregate_version)
        OFFSET 0
    ) h
))
