INSERT INTO orders.timer (timer_id, tenant_id, kind, aggregate_id, due_at, state, claimed_until, body)
SELECT t.timer_id, t.tenant_id, @kind, t.aggregate_id, t.due_at, 'PENDING', '-infinity', t.body::jsonb
FROM unnest(@timer_ids::text[], @tenant_ids::text[], @aggregate_ids::text[], @due_at::timestamptz[], @bodies::text[])
     AS t (timer_id, tenant_id, aggregate_id, due_at, body)
