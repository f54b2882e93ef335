WITH oldest AS MATERIALIZED (
    SELECT timer_id, aggregate_id FROM orders.timer
    WHERE state = 'PENDING' AND kind = @kind AND due_at <= @now AND claimed_until <= @now
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
SELECT t.timer_id, t.tenant_id, t.aggregate_id, t.body FROM orders.timer t JOIN oldest o ON o.aggregate_id = t.aggregate_id
WHERE t.state = 'PENDING' AND t.kind = @kind AND t.due_at <= @now AND t.claimed_until <= @now
ORDER BY t.due_at, t.timer_id
FOR UPDATE OF t SKIP LOCKED
