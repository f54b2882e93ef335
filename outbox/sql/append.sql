-- The heads come in one order, so that two calls never wait for each other in a
-- circle. Locking a head gives the transaction its id before any position is
-- taken: a relay's proof that a hole is dead rests on that order.
WITH head AS (
    INSERT INTO factline.outbox_stream AS s (tenant_id, aggregate_type, aggregate_id, version)
    SELECT * FROM unnest(@stream_tenants::text[], @stream_types::text[], @stream_ids::text[], @added::bigint[])
    ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE SET version = s.version + excluded.version
    RETURNING tenant_id, aggregate_type, aggregate_id, version
)
INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT lane, factline.outbox_next_position(lane), event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    CASE WHEN expected <> version - since
        THEN factline.outbox_conflict(aggregate_type, aggregate_id, expected, version - since)
        ELSE version END,
    topic, record_key, headers, prefix || version::text::bytea || suffix, true
FROM (
    SELECT e.*, factline.outbox_lane_of(e.hash) AS lane, head.version - e.behind AS version
    FROM unnest(
        @hashes::bigint[], @event_ids::text[], @event_types::text[], @tenant_ids::text[],
        @aggregate_types::text[], @aggregate_ids::text[], @topics::text[], @record_keys::bytea[],
        @headers::bytea[], @prefixes::bytea[], @suffixes::bytea[], @behind::bigint[], @since::bigint[], @expected::bigint[]
    ) WITH ORDINALITY AS e(
        hash, event_id, event_type, tenant_id, aggregate_type, aggregate_id, topic, record_key,
        headers, prefix, suffix, behind, since, expected, ordinal)
    JOIN head USING (tenant_id, aggregate_type, aggregate_id)
    ORDER BY e.ordinal
) AS numbered
