SELECT letter_id
FROM deadletter.history
WHERE letter_id = ANY (@letter_ids::text[]) AND kind = 'FAILED' AND redrive_id = @redrive_id
