INSERT INTO orders.timer (timer_id, tenant_id, kind, aggregate_id, due_at, state, claimed_until, body)
VALUES (@timer_id, @tenant_id, @kind, @aggregate_id, @due_at, 'PENDING', '-infinity', @body)
