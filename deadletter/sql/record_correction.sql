INSERT INTO deadletter.history (letter_id, kind, redrive_id, operator, reason, detail, at)
SELECT letter_id, 'CORRECTION', @correction_id, @operator, @reason, @detail, @at
FROM deadletter.letter l
WHERE topic = @topic AND partition = @partition AND "offset" = @offset AND consumer = @consumer
  AND NOT EXISTS (SELECT FROM deadletter.history h WHERE h.letter_id = l.letter_id AND h.redrive_id = @correction_id)
