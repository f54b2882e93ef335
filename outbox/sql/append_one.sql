-- append.sql for one event, which is what most calls bring: without arrays to
-- unnest and join the statement takes half the time. The order is the same: head,
-- then the transaction's id, then the position. All that is volatile stands with
-- the head, so that no step comes between the head and the event.
WITH head AS (
    INSERT INTO factline.outbox_stream AS s (tenant_id, aggregate_type, aggregate_id, version)
    VALUES (@tenant_id::text, @aggregate_type::text, @aggregate_id::text, @adds::bigint)
    ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE SET version = s.version + excluded.version
    RETURNING factline.outbox_next_position(factline.outbox_lane_of(@hash::bigint)) AS position,
        CASE WHEN @expected::bigint <> version - @adds::bigint
            THEN factline.outbox_conflict(@aggregate_type::text, @aggregate_id::text, @expected::bigint, version - @adds::bigint)
            ELSE version END AS version
)
INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT factline.outbox_lane_of(@hash::bigint), position, @event_id::text, @event_type::text, @tenant_id::text,
    @aggregate_type::text, @aggregate_id::text, version, @topic::text, @record_key::bytea, @headers::bytea,
    @prefix::bytea || version::text::bytea || @suffix::bytea, true
FROM head
