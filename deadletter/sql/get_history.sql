SELECT kind, at, redrive_id, operator, reason, detail
FROM deadletter.history
WHERE letter_id = @letter_id
ORDER BY history_id
