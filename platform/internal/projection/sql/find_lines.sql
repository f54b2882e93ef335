-- One lookup of the primary key for each order. As one condition of all orders
-- the planner may take it for a filter behind the tenant's whole range.
SELECT found.*
FROM unnest(@order_ids::text[]) AS wanted (order_id)
CROSS JOIN LATERAL (
    SELECT tenant_id, order_id, order_line_id, offer_id, product_code, action, required, state, attempt, group_no, wave_no, depends_on,
    external_reference, milestone, error_code, error_message, started_at, requested_at, due_at, ended_at, last_version,
    source_event_id, updated_at
    FROM projected_table
    WHERE tenant_id = @tenant_id AND order_id = wanted.order_id
    OFFSET 0
) AS found
ORDER BY found.order_id, found.wave_no, found.order_line_id
