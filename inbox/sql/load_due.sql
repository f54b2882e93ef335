-- One event whose pause has ended, if nobody else tried it meanwhile.
SELECT h.partition, h."offset", h.record_key, h.headers, h.value, h.record_time,
    h.retry_tier, h.attempts, h.held_at, h.gate_event_id, h.redrive_id, h.dead_letter_id
FROM factline.held_event h
WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = $3 AND h."offset" = $4 AND h.reason = 'RETRY' AND h.due_at <= $5
