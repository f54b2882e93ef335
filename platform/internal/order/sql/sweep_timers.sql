DELETE FROM orders.timer WHERE state = 'DONE' AND due_at < @before
