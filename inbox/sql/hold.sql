INSERT INTO factline.held_event AS h (consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
    aggregate_version, event_id, event_type, block_key, record_key, headers, value, record_time, reason, held_at,
    retry_tier, attempts, due_at, gate_event_id)
SELECT $1, $2, e.partition, e."offset", e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.event_id, e.event_type, e.block_key, e.record_key, e.headers, e.value, e.record_time, e.reason, $17,
    e.retry_tier, e.attempts, CASE e.reason WHEN 'RETRY' THEN e.due_at END, e.gate_event_id
FROM unnest($3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
            $11::bytea[], $12::bytea[], $13::bytea[], $14::bytea[], $15::timestamptz[], $16::text[],
            $18::int[], $19::int[], $20::timestamptz[], $21::text[])
     AS e (partition, "offset", tenant_id, aggregate_type, aggregate_id, aggregate_version, event_id, event_type,
           block_key, record_key, headers, value, record_time, reason, retry_tier, attempts, due_at, gate_event_id)
ON CONFLICT (consumer, topic, partition, "offset") DO UPDATE
    SET reason = excluded.reason, retry_tier = excluded.retry_tier, attempts = excluded.attempts, due_at = excluded.due_at,
        gate_event_id = excluded.gate_event_id, suspect = false
    WHERE h.reason <> excluded.reason OR h.due_at IS DISTINCT FROM excluded.due_at
