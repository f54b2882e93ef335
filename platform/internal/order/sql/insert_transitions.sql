INSERT INTO orders.order_transition (order_id, version, tenant_id, order_line_id, from_state, to_state, event_type, actor_id, at, source_event_id)
SELECT @order_id, t.version, @tenant_id, t.order_line_id, t.from_state, t.to_state, t.event_type, @actor_id, @at, @source_event_id
FROM unnest(@versions::bigint[], @line_ids::text[], @from_states::text[], @to_states::text[], @event_types::text[])
     AS t (version, order_line_id, from_state, to_state, event_type)
