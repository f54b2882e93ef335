WITH setting AS MATERIALIZED (
    SELECT factline.outbox_begin() AS lanes
), input AS (
    SELECT i.*, (i.hash % lanes)::smallint AS lane
    FROM setting, unnest(
        @hashes::bigint[], @event_ids::text[], @event_types::text[], @tenant_ids::text[],
        @topics::text[], @record_keys::bytea[], @headers::bytea[], @values::bytea[]
    ) WITH ORDINALITY AS i(hash, event_id, event_type, tenant_id, topic, record_key, headers, value, ordinal)
    ORDER BY ordinal
)
INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT lane, nextval(('factline.outbox_position_' || lane)::regclass), event_id, event_type, tenant_id, '', '',
    0, topic, record_key, headers, value, false
FROM input
