SELECT g.topic, g.consumer, g.fingerprint, g.error_class, g.letters, g.keys, g.first_failed_at, g.last_failed_at,
    n.letter_id, n.error_message
FROM (
    SELECT l.topic, l.consumer, l.fingerprint, l.error_class, count(*) AS letters, count(DISTINCT (l.tenant_id, l.order_key)) AS keys,
        min(l.first_failed_at) AS first_failed_at, max(l.failed_at) AS last_failed_at, max(l.letter_id) AS newest
    FROM deadletter.letter l
    WHERE (@topic = '' OR l.topic = @topic) AND (@consumer = '' OR l.consumer = @consumer) AND (@class = '' OR l.error_class = @class)
      AND (@fingerprint = '' OR l.fingerprint = @fingerprint) AND (@tenant_id = '' OR l.tenant_id = @tenant_id)
      AND (@event_type = '' OR l.event_type = @event_type) AND (@state = '' OR l.state = @state)
      AND (@letter_id = '' OR l.letter_id = @letter_id) AND l.failed_at >= @since AND l.failed_at < @until
    GROUP BY l.topic, l.consumer, l.fingerprint, l.error_class
) g
JOIN deadletter.letter n ON n.letter_id = g.newest
ORDER BY g.letters DESC, g.topic, g.consumer, g.fingerprint
