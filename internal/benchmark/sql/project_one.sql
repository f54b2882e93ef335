INSERT INTO bench.order_summary AS o (tenant_id, order_id, version, applied, one_time, recurring, last_event_id, captured_at)
VALUES ($1, $2, $3, 1, $4, $5, $6, $7)
ON CONFLICT (tenant_id, order_id) DO UPDATE
SET version = excluded.version, applied = o.applied + 1, one_time = excluded.one_time,
    recurring = excluded.recurring, last_event_id = excluded.last_event_id
