INSERT INTO orders.order_transition (order_id, version, tenant_id, order_line_id, from_state, to_state, event_type, actor_id, at, source_event_id)
VALUES (@order_id, @version, @tenant_id, @order_line_id, @from_state, @to_state, @event_type, @actor_id, @at, @source_event_id)
