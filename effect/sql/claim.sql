-- The commit of a claim is durable before the call is made, and with it the
-- transaction that stored the call, whatever that one's synchronous_commit was.
WITH durable AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
), due AS MATERIALIZED (
    SELECT call_id
    FROM factline.effect_call
    WHERE name = @name AND state IN ('PENDING', 'ANSWERED') AND due_at <= statement_timestamp()
        AND (SELECT count(*) FROM durable) >= 0
    ORDER BY due_at, call_id
    LIMIT @most
    FOR UPDATE SKIP LOCKED
)
UPDATE factline.effect_call c
SET epoch = c.epoch + 1, owner = @owner, due_at = clock_timestamp() + @lease::interval,
    attempts = c.attempts + (c.state = 'PENDING')::int,
    result_attempts = c.result_attempts + (c.state = 'ANSWERED')::int
FROM due
WHERE c.call_id = due.call_id
RETURNING c.call_id, c.epoch, c.key, COALESCE(c.order_key, ''), c.tenant_id, c.event_id, c.cause, c.request, c.response,
    c.state = 'ANSWERED', c.attempts, c.result_attempts, c.stored_at
