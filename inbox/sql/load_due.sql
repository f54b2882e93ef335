-- Events whose pause has ended, as far as nobody else tried them meanwhile, in the
-- order of the log. The reason is compared so that the index of what is due cannot
-- be taken, which would be read from its start.
SELECT h.partition, h."offset", h.record_key, h.headers, h.value, h.record_time,
    h.retry_tier, h.attempts, h.held_at, h.gate_event_id, h.redrive_id, h.dead_letter_id
FROM factline.held_event h
WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = $3 AND h."offset" = ANY ($4::bigint[]) AND h.reason || '' = 'RETRY' AND h.due_at <= $5
ORDER BY h."offset"
