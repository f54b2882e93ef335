-- One read for every span of every lane: what stands after "after" up to
-- "upto", at most "page" rows. Its reader cuts what is too large: a running sum
-- in here costs as much again as the read. A lane whose sequence gave out
-- nothing after "after" has nothing there: looking into its partitions is spared.
SELECT span.ordinal::int, e.position, e.created_at, e.topic, e.event_type, e.event_id, e.stamped, e.record_key, e.headers, e.value
FROM unnest(@lanes::smallint[], @afters::bigint[], @uptos::bigint[], @pages::int[]) WITH ORDINALITY AS span(lane, after, upto, page, ordinal)
CROSS JOIN LATERAL (
    SELECT position, created_at, topic, event_type, event_id, stamped, record_key, headers, value
    FROM factline.outbox_event
    WHERE lane = span.lane AND position > span.after AND position <= span.upto
    ORDER BY position
    LIMIT span.page
) AS e
WHERE span.upto < @open_end::bigint
    OR span.after < COALESCE(pg_sequence_last_value(('factline.outbox_position_' || span.lane)::regclass), @open_end::bigint)
