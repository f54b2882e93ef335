WITH moved AS (
    UPDATE deadletter.letter
    SET state = @state, state_at = @now
    WHERE letter_id = ANY (@letter_ids::text[]) AND state <> @state
)
INSERT INTO deadletter.history (letter_id, kind, redrive_id, at)
SELECT letter_id, @kind, @redrive_id, @now
FROM unnest(@letter_ids::text[]) AS letter_id
