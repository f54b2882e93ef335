SELECT d.dead_letter_id, d.consumer, d.topic, d.partition, d."offset", d.tenant_id, d.aggregate_type, d.aggregate_id,
    d.aggregate_version, d.event_id, d.event_type, d.error_class, d.error_message, d.attempts, d.record_key,
    NULL::bytea AS headers, NULL::bytea AS value, d.failed_at, d.state, d.closed_at,
    (SELECT count(*) FROM factline.held_event h
     WHERE d.blocks AND d.state = 'OPEN' AND h.consumer = d.consumer AND h.topic = d.topic AND h.tenant_id = d.tenant_id
       AND h.partition = d.partition AND h.block_key = d.block_key AND h."offset" <> d."offset") AS held_events
FROM factline.dead_letter d
WHERE ($1 = '' OR d.consumer = $1) AND ($2 = '' OR d.topic = $2) AND ($3 = '' OR d.state = $3)
ORDER BY d.failed_at DESC, d.dead_letter_id DESC
LIMIT $4
