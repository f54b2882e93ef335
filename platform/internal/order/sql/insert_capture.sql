INSERT INTO orders.order_capture (capture_id, tenant_id, quote_id, quote_revision, source_event_id, state, order_id, reason_code, detail, created_at)
VALUES (@capture_id, @tenant_id, @quote_id, @quote_revision, @source_event_id, @state, @order_id, @reason_code, @detail, @now)
