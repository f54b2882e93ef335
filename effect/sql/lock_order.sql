INSERT INTO factline.effect_order (name, order_key, used_at)
VALUES (@name, @order_key, clock_timestamp())
ON CONFLICT (name, order_key) DO UPDATE SET used_at = excluded.used_at
