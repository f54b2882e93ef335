-- Another dead letter of the key that still waits for a decision, or an event
-- that waits for its next attempt, takes over the block, the earliest first.
INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id,
    aggregate_version, event_id, dead_letter_id, reason, blocked_at)
SELECT $1, $2, $3, $4, n.*
FROM (
    SELECT partition, aggregate_type, aggregate_id, aggregate_version, event_id, dead_letter_id, error_class, failed_at
    FROM factline.dead_letter
    WHERE consumer = $1 AND topic = $2 AND tenant_id = $3 AND block_key = $4 AND blocks AND state = 'OPEN'
    UNION ALL
    SELECT partition, aggregate_type, aggregate_id, aggregate_version, event_id, '', 'RETRY', held_at
    FROM factline.held_event h
    WHERE consumer = $1 AND topic = $2 AND tenant_id = $3 AND block_key = $4 AND reason = 'RETRY'
        AND NOT EXISTS (SELECT FROM factline.dead_letter d WHERE d.dead_letter_id = h.dead_letter_id AND NOT d.blocks)
    ORDER BY aggregate_version, dead_letter_id
    LIMIT 1
) n
