SELECT outbox_id, topic, record_key, headers, value
FROM bench.skip_locked_outbox
WHERE status = 'PENDING'
ORDER BY outbox_id
LIMIT $1
FOR UPDATE SKIP LOCKED
