WITH setting AS MATERIALIZED (
    SELECT factline.outbox_begin() AS lanes
), input AS MATERIALIZED (
    SELECT i.*
    FROM unnest(
        @hashes::bigint[], @event_ids::text[], @event_types::text[], @tenant_ids::text[],
        @aggregate_types::text[], @aggregate_ids::text[], @topics::text[], @record_keys::bytea[],
        @headers::bytea[], @prefixes::bytea[], @suffixes::bytea[], @counts::int[], @expected::bigint[]
    ) WITH ORDINALITY AS i(
        hash, event_id, event_type, tenant_id, aggregate_type, aggregate_id, topic, record_key,
        headers, prefix, suffix, counted, expected, ordinal)
), head AS (
    -- Sorted, so that two calls never wait for each other in a circle.
    INSERT INTO factline.outbox_stream AS s (tenant_id, aggregate_type, aggregate_id, version)
    SELECT tenant_id, aggregate_type, aggregate_id, sum(counted)
    FROM input, setting
    WHERE lanes IS NOT NULL
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE SET version = s.version + excluded.version
    RETURNING tenant_id, aggregate_type, aggregate_id, version
), numbered AS (
    SELECT input.*, (hash % lanes)::smallint AS lane,
        head.version
            - sum(counted) OVER (PARTITION BY tenant_id, aggregate_type, aggregate_id)
            + sum(counted) OVER (PARTITION BY tenant_id, aggregate_type, aggregate_id ORDER BY ordinal) AS version,
        head.version - sum(counted) OVER (PARTITION BY tenant_id, aggregate_type, aggregate_id) AS before,
        row_number() OVER (PARTITION BY tenant_id, aggregate_type, aggregate_id ORDER BY ordinal) = 1 AS is_first
    FROM input JOIN head USING (tenant_id, aggregate_type, aggregate_id), setting
    ORDER BY ordinal
)
INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT lane, nextval(('factline.outbox_position_' || lane)::regclass), event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    CASE WHEN is_first AND expected <> before
        THEN factline.outbox_conflict(aggregate_type, aggregate_id, expected, before::bigint)
        ELSE version END,
    topic, record_key, headers, prefix || convert_to(version::text, 'UTF8') || suffix, true
FROM numbered
