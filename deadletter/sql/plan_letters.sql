-- Of one key the lowest version first, which is the order of a redrive.
SELECT l.letter_id, l.consumer, l.topic, l.partition, l."offset", l.tenant_id, l.order_key, l.aggregate_version,
    l.fingerprint, l.error_class, l.event_type, l.failures, l.omitted, l.first_failed_at,
    COALESCE(length(l.value), 0) + COALESCE(length(l.headers), 0) + COALESCE(length(l.record_key), 0) AS record_bytes
FROM deadletter.letter l
WHERE (@topic = '' OR l.topic = @topic) AND (@consumer = '' OR l.consumer = @consumer) AND (@class = '' OR l.error_class = @class)
  AND (@fingerprint = '' OR l.fingerprint = @fingerprint) AND (@tenant_id = '' OR l.tenant_id = @tenant_id)
  AND (@event_type = '' OR l.event_type = @event_type) AND (@state = '' OR l.state = @state)
  AND (@letter_id = '' OR l.letter_id = @letter_id) AND l.failed_at >= @since AND l.failed_at < @until
ORDER BY l.consumer, l.topic, l.tenant_id, l.order_key, l.aggregate_version, l.partition, l."offset"
LIMIT @limit
