INSERT INTO quote.quote_transition (quote_id, version, tenant_id, from_state, to_state, event_type, actor_id, at)
VALUES (@quote_id, @version, @tenant_id, @from_state, @to_state, @event_type, @actor_id, @at)
