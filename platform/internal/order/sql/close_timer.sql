UPDATE orders.timer SET state = 'DONE' WHERE timer_id = ANY(@timer_ids)
