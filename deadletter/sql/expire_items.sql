-- A plan that never began can no longer be applied then: its hash is another.
DELETE FROM deadletter.redrive_item
WHERE (redrive_id, seq) IN (
    SELECT i.redrive_id, i.seq
    FROM deadletter.redrive r
    JOIN deadletter.redrive_item i ON i.redrive_id = r.redrive_id
    WHERE r.state NOT IN ('RUNNING', 'PAUSED') AND COALESCE(r.ended_at, r.planned_at) < @before
    LIMIT @limit
    FOR UPDATE OF r SKIP LOCKED
)
