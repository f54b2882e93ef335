SELECT d.dead_letter_id, d.consumer, d.topic, d.partition, d."offset", d.tenant_id, d.aggregate_type, d.aggregate_id,
    d.aggregate_version, d.event_id, d.event_type, d.error_class, d.error_message, d.attempts, d.record_key,
    d.headers, d.value, d.failed_at, d.state, d.closed_at,
    (SELECT count(*) FROM factline.held_event h
     WHERE d.blocks AND d.state = 'OPEN' AND h.consumer = d.consumer AND h.topic = d.topic AND h.tenant_id = d.tenant_id
       AND h.partition = d.partition AND h.block_key = d.block_key AND h."offset" <> d."offset") AS held_events
FROM factline.dead_letter d
WHERE d.dead_letter_id = $1
