INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
VALUES ($1, $2, 'RETRYING', 1, $3, $4, $5, $6)
ON CONFLICT (consumer, event_id) DO UPDATE
    SET attempts = i.attempts + 1, processed_at = excluded.processed_at
    WHERE i.state = 'RETRYING'
RETURNING attempts
