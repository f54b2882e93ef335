SELECT l.letter_id, l.consumer, l.topic, l.partition, l."offset", l.tenant_id, l.aggregate_type, l.aggregate_id,
    l.aggregate_version, l.event_id, l.event_type, l.error_class, l.error_message, l.fingerprint, l.attempts, l.failures,
    l.blocks_key, NULL::bytea, NULL::bytea, NULL::bytea, l.omitted, l.first_failed_at, l.failed_at, l.state, l.state_at
FROM deadletter.letter l
WHERE (@topic = '' OR l.topic = @topic) AND (@consumer = '' OR l.consumer = @consumer) AND (@class = '' OR l.error_class = @class)
  AND (@fingerprint = '' OR l.fingerprint = @fingerprint) AND (@tenant_id = '' OR l.tenant_id = @tenant_id)
  AND (@event_type = '' OR l.event_type = @event_type) AND (@state = '' OR l.state = @state)
  AND (@letter_id = '' OR l.letter_id = @letter_id) AND l.failed_at >= @since AND l.failed_at < @until
  AND (@after_time::timestamptz IS NULL OR (l.failed_at, l.letter_id) < (@after_time, @after_id))
ORDER BY l.failed_at DESC, l.letter_id DESC
LIMIT @limit
