-- The same failure read again changes nothing: a group takes a redrive id once, so
-- letter, redrive and time name it, and the clocks of the consumers are never
-- compared. Another one opens the letter again, unless it is of a redrive or a correction after
-- which the letter was redriven or settled: that one is late, and only its history
-- has it. An id that another letter has is not taken twice. A letter that was
-- corrected holds the corrected event, as its group does.
WITH input AS (
    SELECT i.*
    FROM unnest(@letter_ids::text[], @derived_ids::text[], @consumers::text[], @topics::text[], @partitions::int[], @offsets::bigint[],
        @tenant_ids::text[], @aggregate_types::text[], @aggregate_ids::text[], @aggregate_versions::bigint[],
        @event_ids::text[], @event_types::text[], @classes::text[], @messages::text[], @fingerprints::text[], @attempts::int[],
        @blocks_keys::boolean[], @order_keys::bytea[], @record_keys::bytea[], @headers::bytea[], @values::bytea[], @omitted::text[], @redrive_ids::text[],
        @failed_ats::timestamptz[], @dlt_topics::text[], @dlt_partitions::int[], @dlt_offsets::bigint[])
    AS i(letter_id, derived_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id, aggregate_version,
        event_id, event_type, error_class, error_message, fingerprint, attempts, blocks_key, order_key, record_key, headers, value,
        omitted, redrive_id, failed_at, dlt_topic, dlt_partition, dlt_offset)
), fresh AS (
    SELECT i.*, l.letter_id AS known_id, EXISTS (
        SELECT
        FROM deadletter.history h
        WHERE h.letter_id = l.letter_id AND h.kind IN ('REDRIVEN', 'APPLIED', 'SKIPPED', 'SUPERSEDED', 'CORRECTED') AND h.history_id > (
            SELECT max(r.history_id)
            FROM deadletter.history r
            WHERE r.letter_id = l.letter_id AND r.kind IN ('REDRIVEN', 'CORRECTION') AND r.redrive_id = i.redrive_id
        )
    ) AS is_late
    FROM input i
    LEFT JOIN deadletter.letter l ON l.topic = i.topic AND l.partition = i.partition AND l."offset" = i."offset" AND l.consumer = i.consumer
    WHERE NOT EXISTS (
        SELECT
        FROM deadletter.history h
        WHERE h.letter_id = l.letter_id AND h.kind = 'FAILED' AND h.redrive_id = i.redrive_id AND h.at = i.failed_at
    )
), stored AS (
    INSERT INTO deadletter.letter AS l (letter_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
        aggregate_version, event_id, event_type, error_class, error_message, fingerprint, attempts, failures, blocks_key,
        order_key, record_key, headers, value, omitted, first_failed_at, failed_at, state, state_at)
    SELECT CASE WHEN o.letter_id IS NULL THEN i.letter_id ELSE i.derived_id END, i.consumer, i.topic, i.partition, i."offset",
        i.tenant_id, i.aggregate_type, i.aggregate_id, i.aggregate_version, i.event_id, i.event_type, i.error_class,
        i.error_message, i.fingerprint, i.attempts, 1, i.blocks_key, i.order_key, i.record_key, i.headers, i.value,
        string_to_array(i.omitted, ','), i.failed_at, i.failed_at, 'OPEN', @now
    FROM fresh i
    LEFT JOIN deadletter.letter o ON o.letter_id = i.letter_id
        AND (o.topic, o.partition, o."offset", o.consumer) IS DISTINCT FROM (i.topic, i.partition, i."offset", i.consumer)
    WHERE NOT i.is_late
    ON CONFLICT (topic, partition, "offset", consumer) DO UPDATE SET
        error_class = excluded.error_class, error_message = excluded.error_message, fingerprint = excluded.fingerprint,
        event_id = excluded.event_id, headers = CASE WHEN l.event_id = excluded.event_id THEN l.headers ELSE excluded.headers END,
        value = CASE WHEN l.event_id = excluded.event_id THEN l.value ELSE excluded.value END,
        omitted = CASE WHEN l.event_id = excluded.event_id THEN l.omitted ELSE excluded.omitted END,
        attempts = excluded.attempts, blocks_key = excluded.blocks_key, failures = l.failures + 1, failed_at = excluded.failed_at,
        state = 'OPEN', state_at = excluded.state_at
    RETURNING l.letter_id, l.consumer, l.topic, l.partition, l."offset"
), told AS (
    SELECT letter_id, consumer, topic, partition, "offset" FROM stored
    UNION ALL
    SELECT known_id, consumer, topic, partition, "offset" FROM fresh WHERE is_late
)
INSERT INTO deadletter.history (letter_id, kind, redrive_id, detail, at)
SELECT t.letter_id, 'FAILED', i.redrive_id, jsonb_build_object('class', i.error_class, 'attempts', i.attempts, 'message', left(i.error_message, 500),
    'deadLetterTopic', i.dlt_topic, 'partition', i.dlt_partition, 'offset', i.dlt_offset), i.failed_at
FROM told t
JOIN input i USING (consumer, topic, partition, "offset")
