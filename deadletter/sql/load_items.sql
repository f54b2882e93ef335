SELECT i.seq, l.consumer, l.topic, l.partition, l."offset", i.letter_id, i.group_letter_id, i.retry_topic,
    i.lane, l.fingerprint, i.failures, i.record_bytes, i.state, i.sent_at
FROM deadletter.redrive_item i
JOIN deadletter.letter l ON l.letter_id = i.letter_id
WHERE i.redrive_id = @redrive_id
ORDER BY i.seq
