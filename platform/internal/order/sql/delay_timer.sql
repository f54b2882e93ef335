UPDATE orders.timer SET claimed_until = @until, attempts = attempts + 1 WHERE timer_id = ANY(@timer_ids)
