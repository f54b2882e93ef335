SELECT letter_id, event_type, record_key, headers, value
FROM deadletter.letter
WHERE letter_id = ANY (@letter_ids::text[])
