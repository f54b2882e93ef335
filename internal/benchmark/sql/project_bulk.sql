INSERT INTO bench.order_summary AS o (tenant_id, order_id, version, applied, one_time, recurring, last_event_id, captured_at)
SELECT $1, n.*
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
    AS n(order_id, version, applied, one_time, recurring, last_event_id, captured_at)
ORDER BY n.order_id
ON CONFLICT (tenant_id, order_id) DO UPDATE
SET version = excluded.version, applied = o.applied + excluded.applied, one_time = excluded.one_time,
    recurring = excluded.recurring, last_event_id = excluded.last_event_id
