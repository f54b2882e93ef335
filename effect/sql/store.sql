INSERT INTO factline.effect_call (name, key, order_key, tenant_id, event_id, cause, request, state, due_at, stored_at)
SELECT @name, @key, @order_key, @tenant_id, @event_id, @cause, @request,
    CASE WHEN EXISTS (SELECT FROM factline.effect_call e
        WHERE e.name = @name AND e.order_key = @order_key AND e.state NOT IN ('DONE', 'SKIPPED')) THEN 'HELD' ELSE 'PENDING' END,
    clock_timestamp(), clock_timestamp()
ON CONFLICT (name, key) DO NOTHING
