SELECT c.call_id, c.name, c.key, COALESCE(c.order_key, ''), c.tenant_id, c.event_id, c.state, c.attempts, c.result_attempts,
    c.error, c.owner, c.due_at, c.stored_at, c.answered_at, c.finished_at, NULL::bytea AS request, NULL::bytea AS response,
    (SELECT count(*) FROM factline.effect_call h
     WHERE h.name = c.name AND h.order_key = c.order_key AND h.state = 'HELD' AND c.state NOT IN ('HELD', 'DONE', 'SKIPPED')) AS held_calls
FROM factline.effect_call c
WHERE (@name = '' OR c.name = @name) AND (@state = '' OR c.state = @state)
ORDER BY c.call_id DESC
LIMIT @most
