UPDATE orders.timer SET state = 'DONE' WHERE timer_id = @timer_id
