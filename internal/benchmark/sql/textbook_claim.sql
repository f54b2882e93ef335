UPDATE bench.textbook_outbox
SET status = 'CLAIMED', attempts = attempts + 1, claimed_at = now()
WHERE outbox_id IN (
    SELECT outbox_id FROM bench.textbook_outbox
    WHERE status = 'PENDING'
    ORDER BY outbox_id
    LIMIT $1
    FOR UPDATE SKIP LOCKED)
RETURNING outbox_id, topic, record_key, headers, value
