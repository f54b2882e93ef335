-- What one consumer knows of one event.
SELECT o.next_offset, i.state AS inbox_state, i.processed_at, i.attempts, g.version AS gate_version, h.reason AS held_reason, h.held_at,
    d.dead_letter_id, d.state AS dead_state, d.error_class, d.error_message, NULLIF(b.dead_letter_id, '') AS blocked_by
FROM (SELECT 1) AS one
LEFT JOIN factline.consumer_offset o ON o.consumer = @consumer AND o.topic = @topic AND o.partition = @partition
LEFT JOIN factline.inbox i ON i.consumer = @consumer AND i.event_id = @event_id
LEFT JOIN factline.gate g ON g.consumer = @consumer AND g.topic = @topic AND g.tenant_id = @tenant_id
    AND g.aggregate_type = @aggregate_type AND g.aggregate_id = @aggregate_id
LEFT JOIN LATERAL (
    SELECT reason, held_at, block_key FROM factline.held_event
    WHERE consumer = @consumer AND topic = @topic AND tenant_id = @tenant_id AND aggregate_type = @aggregate_type
      AND aggregate_id = @aggregate_id AND aggregate_version = @aggregate_version
      AND (event_id = @event_id OR partition = @partition AND "offset" = @offset) -- or a corrected one in its place
    LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT dead_letter_id, state, error_class, error_message FROM factline.dead_letter
    WHERE consumer = @consumer AND topic = @topic AND (event_id = @event_id OR partition = @partition AND "offset" = @offset)
    ORDER BY failed_at DESC LIMIT 1
) AS d ON true
LEFT JOIN factline.blocked_key b ON b.consumer = @consumer AND b.topic = @topic AND b.tenant_id = @tenant_id AND b.record_key = h.block_key
