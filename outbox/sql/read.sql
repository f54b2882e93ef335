-- One read for every span of every lane: what stands after "after" up to
-- "upto", cut where it would grow past the chunk limits.
SELECT span.ordinal::int, e.position, e.created_at, e.topic, e.event_type, e.event_id, e.stamped, e.record_key, e.headers, e.value
FROM unnest(@lanes::smallint[], @afters::bigint[], @uptos::bigint[]) WITH ORDINALITY AS span(lane, after, upto, ordinal)
CROSS JOIN LATERAL (
    SELECT page.*, sum(coalesce(octet_length(value), 0)) OVER (ORDER BY position) - coalesce(octet_length(value), 0) AS bytes_before
    FROM (
        SELECT position, created_at, topic, event_type, event_id, stamped, record_key, headers, value
        FROM factline.outbox_event
        WHERE lane = span.lane AND position > span.after AND position <= span.upto
        ORDER BY position
        LIMIT @max_events::int
    ) AS page
) AS e
WHERE e.bytes_before <= @max_bytes::bigint
