-- A letter that a redrive still lists stays until the items of that one go.
WITH old AS (
    SELECT l.letter_id
    FROM deadletter.letter l
    WHERE l.state IN ('APPLIED', 'SKIPPED', 'SUPERSEDED', 'CORRECTED') AND l.state_at < @before
      AND NOT EXISTS (SELECT FROM deadletter.redrive_item i WHERE i.letter_id = l.letter_id)
    ORDER BY l.state_at
    LIMIT @limit
    FOR UPDATE SKIP LOCKED
), past AS (
    DELETE FROM deadletter.history
    WHERE letter_id IN (SELECT letter_id FROM old)
)
DELETE FROM deadletter.letter
WHERE letter_id IN (SELECT letter_id FROM old)
