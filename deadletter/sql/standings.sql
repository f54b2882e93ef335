SELECT i.ordinal, d.dead_letter_id, d.state, d.redrives, d.blocks, COALESCE(NULLIF(b.dead_letter_id, ''), b.event_id, ''), d.aggregate_version, g.version
FROM unnest(@consumers::text[], @topics::text[], @partitions::int[], @offsets::bigint[])
    WITH ORDINALITY AS i(consumer, topic, partition, "offset", ordinal)
JOIN factline.dead_letter d ON d.consumer = i.consumer AND d.topic = i.topic AND d.partition = i.partition AND d."offset" = i."offset"
LEFT JOIN factline.gate g ON g.aggregate_id = d.aggregate_id AND g.tenant_id = d.tenant_id AND g.aggregate_type = d.aggregate_type
    AND g.consumer = d.consumer AND g.topic = d.topic
LEFT JOIN factline.blocked_key b ON b.consumer = d.consumer AND b.topic = d.topic AND b.tenant_id = d.tenant_id AND b.record_key = d.block_key
