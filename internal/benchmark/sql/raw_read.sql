SELECT e.lane, e.position, e.created_at, e.topic, e.event_type, e.event_id, e.stamped, e.record_key, e.headers, e.value
FROM unnest($1::bigint[]) WITH ORDINALITY AS span(after, ordinal)
CROSS JOIN LATERAL (
    SELECT lane, position, created_at, topic, event_type, event_id, stamped, record_key, headers, value
    FROM factline.outbox_event
    WHERE lane = span.ordinal - 1 AND position > span.after
    ORDER BY position
    LIMIT $2::int
) AS e
