-- What of each key was given up or failed before takes over the block, the
-- earliest first. A letter that nothing waited for blocks no more when it is tried
-- again. Group, topic and reason are compared so that the index of the key alone can
-- be taken: before there are statistics any that begins with them looks as good.
INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id,
    aggregate_version, event_id, dead_letter_id, reason, blocked_at)
SELECT $1, $2, k.tenant_id, k.block_key, n.*, $5
FROM unnest($3::text[], $4::bytea[]) AS k (tenant_id, block_key)
CROSS JOIN LATERAL (
    SELECT partition, aggregate_type, aggregate_id, aggregate_version, event_id, dead_letter_id, error_class
    FROM factline.dead_letter
    WHERE block_key = k.block_key AND tenant_id = k.tenant_id AND consumer IS NOT DISTINCT FROM $1 AND topic IS NOT DISTINCT FROM $2 AND blocks AND state = 'OPEN'
    UNION ALL
    SELECT partition, aggregate_type, aggregate_id, aggregate_version, event_id, '', 'RETRY'
    FROM factline.held_event h
    WHERE block_key = k.block_key AND tenant_id = k.tenant_id AND consumer IS NOT DISTINCT FROM $1 AND topic IS NOT DISTINCT FROM $2 AND reason || '' = 'RETRY'
      AND NOT EXISTS (SELECT FROM factline.dead_letter d WHERE d.dead_letter_id = h.dead_letter_id AND NOT d.blocks OFFSET 0)
    ORDER BY aggregate_version, dead_letter_id
    LIMIT 1
) n
ON CONFLICT (consumer, topic, tenant_id, record_key) DO NOTHING
