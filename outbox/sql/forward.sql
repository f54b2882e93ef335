INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT lane, factline.outbox_next_position(lane), event_id, event_type, tenant_id, '', '',
    0, topic, record_key, headers, value, false
FROM (
    SELECT i.*, factline.outbox_lane_of(i.hash) AS lane
    FROM unnest(
        @hashes::bigint[], @event_ids::text[], @event_types::text[], @tenant_ids::text[],
        @topics::text[], @record_keys::bytea[], @headers::bytea[], @values::bytea[]
    ) WITH ORDINALITY AS i(hash, event_id, event_type, tenant_id, topic, record_key, headers, value, ordinal)
    ORDER BY ordinal
) AS input
