-- An earlier version of the same aggregate takes the place of a later one: the
-- key is blocked from there on. The event itself may block for another reason now.
INSERT INTO factline.blocked_key AS b (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id,
    aggregate_version, event_id, dead_letter_id, reason, blocked_at)
SELECT $1, $2, e.tenant_id, e.block_key, e.partition, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.event_id, e.dead_letter_id, e.reason, $12
FROM unnest($3::int[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[])
     AS e (partition, tenant_id, block_key, aggregate_type, aggregate_id, aggregate_version, event_id, dead_letter_id, reason)
ON CONFLICT (consumer, topic, tenant_id, record_key) DO UPDATE
    SET aggregate_version = excluded.aggregate_version, event_id = excluded.event_id,
        dead_letter_id = excluded.dead_letter_id, reason = excluded.reason
    WHERE b.aggregate_type = excluded.aggregate_type AND b.aggregate_id = excluded.aggregate_id
      AND (b.aggregate_version > excluded.aggregate_version OR b.event_id = excluded.event_id)
