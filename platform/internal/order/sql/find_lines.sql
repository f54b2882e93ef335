SELECT l.order_line_id, l.quote_line_id, l.offer_id, l.offer_name, l.product_code, l.action, l.quantity, l.characteristics, l.site,
    l.required, l.state, l.attempt, l.group_no, l.wave_no, l.fulfillment_request_id, l.external_reference,
    l.fulfilled_characteristics, l.one_time_total, l.recurring_total, l.started_at, l.requested_at, l.due_at, l.ended_at,
    ARRAY(SELECT p.depends_on_line_id FROM orders.order_line_dependency p
          WHERE p.order_id = l.order_id AND p.order_line_id = l.order_line_id ORDER BY p.depends_on_line_id) AS depends_on
FROM orders.order_line l
WHERE l.tenant_id = @tenant_id AND l.order_id = @order_id
ORDER BY l.line_no
