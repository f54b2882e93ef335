-- By row address, as in let_go.
DELETE FROM factline.blocked_key
WHERE ctid = ANY (ARRAY(
    SELECT b.ctid
    FROM unnest($3::text[], $4::bytea[], $5::text[]) AS e (tenant_id, block_key, event_id)
    CROSS JOIN LATERAL (
        SELECT ctid
        FROM factline.blocked_key
        WHERE consumer = $1 AND topic = $2 AND tenant_id = e.tenant_id AND record_key = e.block_key AND event_id = e.event_id
        LIMIT 1
    ) b
))
