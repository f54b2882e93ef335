WITH skipped AS (
    UPDATE deadletter.letter
    SET state = 'SKIPPED', state_at = @now
    WHERE topic = @topic AND partition = @partition AND "offset" = @offset AND consumer = @consumer AND state <> 'SKIPPED'
    RETURNING letter_id
)
INSERT INTO deadletter.history (letter_id, kind, operator, reason, at)
SELECT letter_id, 'SKIPPED', @operator, @reason, @now
FROM skipped
