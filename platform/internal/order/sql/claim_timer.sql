WITH oldest AS MATERIALIZED (
    SELECT aggregate_id FROM orders.timer
    WHERE state = 'PENDING' AND kind = @kind AND due_at <= @now AND claimed_until <= @now
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
SELECT timer_id, tenant_id, aggregate_id, body FROM orders.timer
WHERE state = 'PENDING' AND kind = @kind AND due_at <= @now AND claimed_until <= @now
    AND aggregate_id = (SELECT aggregate_id FROM oldest)
ORDER BY due_at, timer_id
FOR UPDATE SKIP LOCKED
