-- One that was tried again and failed keeps its id and is open again.
INSERT INTO factline.dead_letter AS d (dead_letter_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
    aggregate_version, event_id, event_type, error_class, error_message, attempts, blocks, block_key,
    record_key, headers, value, failed_at, state, record_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 'OPEN', $22)
ON CONFLICT (consumer, topic, partition, "offset") DO UPDATE
    SET state = 'OPEN', error_class = excluded.error_class, error_message = excluded.error_message,
        attempts = excluded.attempts, blocks = excluded.blocks, failed_at = excluded.failed_at
    WHERE d.state = 'REDRIVEN' AND $21
