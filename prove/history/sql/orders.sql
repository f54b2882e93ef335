SELECT o.tenant_id, o.order_id, o.quote_id, o.state, o.version,
    (SELECT count(*) FROM orders.order_line l WHERE l.order_id = o.order_id),
    (SELECT count(*) FROM orders.order_transition t WHERE t.order_id = o.order_id)
FROM orders.sales_order o
ORDER BY o.order_id
