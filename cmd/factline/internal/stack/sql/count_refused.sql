SELECT count(*) FROM orders.order_capture WHERE state = 'REJECTED'
