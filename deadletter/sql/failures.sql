SELECT letter_id, failures
FROM deadletter.letter
WHERE letter_id = ANY (@letter_ids::text[])
