SELECT l.letter_id, l.failures, l.state
FROM deadletter.redrive_item i
JOIN deadletter.letter l ON l.letter_id = i.letter_id
WHERE i.redrive_id = @redrive_id AND i.state <> 'REFUSED'
ORDER BY i.seq
