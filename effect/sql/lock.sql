SELECT name, key, COALESCE(order_key, ''), event_id, state, attempts, error
FROM factline.effect_call
WHERE call_id = @call_id
FOR UPDATE
