-- One lookup of the primary key for each order. As one condition of all orders
-- the planner may take it for a filter behind the tenant's whole range.
SELECT found.*
FROM unnest(@order_ids::text[]) AS wanted (order_id)
CROSS JOIN LATERAL (
    SELECT tenant_id, order_id, quote_id, customer_id, sales_channel, currency, one_time_total, recurring_total, state, lines_total,
    lines_open, lines_completed, lines_failed, lines_waived, lines_cancelled, has_fallout, jeopardy_lines, open_incidents, outcome,
    captured_at, validated_at, activated_at, submitted_at, completed_at, cancelled_at, due_at, reason_code,
    commercial_snapshot_hash, last_version, source_event_id, updated_at
    FROM projected_table
    WHERE tenant_id = @tenant_id AND order_id = wanted.order_id
    OFFSET 0
) AS found
