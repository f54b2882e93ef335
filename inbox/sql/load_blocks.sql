SELECT k.tenant_id, k.record_key, b.aggregate_type, b.aggregate_id, b.aggregate_version, b.event_id
FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, record_key)
CROSS JOIN LATERAL (
    SELECT aggregate_type, aggregate_id, aggregate_version, event_id
    FROM factline.blocked_key
    WHERE consumer = $1 AND topic = $2 AND tenant_id = k.tenant_id AND record_key = k.record_key
    LIMIT 1
) b
-- Asked once: most of the time no key is blocked.
WHERE EXISTS (SELECT FROM factline.blocked_key WHERE consumer = $1 AND topic = $2 OFFSET 0)
