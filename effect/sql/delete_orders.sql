DELETE FROM factline.effect_order
WHERE (name, order_key) IN (
    SELECT name, order_key
    FROM factline.effect_order
    WHERE name = @name AND used_at < statement_timestamp() - @retention::interval
    LIMIT @most
    FOR UPDATE SKIP LOCKED
)
