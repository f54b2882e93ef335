SELECT letter_id, state
FROM deadletter.redrive_item
WHERE redrive_id = @redrive_id
ORDER BY seq
