SELECT l.letter_id, l.consumer, l.topic, l.partition, l."offset", l.tenant_id, l.aggregate_type, l.aggregate_id,
    l.aggregate_version, l.event_id, l.event_type, l.error_class, l.error_message, l.fingerprint, l.attempts, l.failures,
    l.blocks_key, l.record_key, l.headers, l.value, l.omitted, l.first_failed_at, l.failed_at, l.state, l.state_at
FROM deadletter.letter l
WHERE l.letter_id = @letter_id
