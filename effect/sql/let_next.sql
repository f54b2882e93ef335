UPDATE factline.effect_call
SET state = 'PENDING', due_at = clock_timestamp()
WHERE call_id = (
    SELECT call_id
    FROM factline.effect_call
    WHERE name = @name AND order_key = @order_key AND state = 'HELD'
    ORDER BY call_id
    LIMIT 1
)
