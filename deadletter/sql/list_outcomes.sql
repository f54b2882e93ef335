SELECT letter_id, state, code, detail, sent_at, settled_at
FROM deadletter.redrive_item
WHERE redrive_id = @redrive_id AND (@state = '' OR state = @state)
ORDER BY seq
