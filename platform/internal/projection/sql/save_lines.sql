INSERT INTO projected_table AS t
SELECT tenant_id, order_id, order_line_id, offer_id, product_code, action, required, state, attempt, group_no, wave_no, depends_on,
    external_reference, milestone, error_code, error_message, started_at, requested_at, due_at, ended_at, last_version,
    source_event_id, updated_at
FROM json_populate_recordset(NULL::projection.order_line_projection, @rows)
ON CONFLICT (tenant_id, order_id, order_line_id) DO UPDATE SET
    product_code = excluded.product_code, required = excluded.required, state = excluded.state, attempt = excluded.attempt,
    group_no = excluded.group_no, wave_no = excluded.wave_no, depends_on = excluded.depends_on,
    external_reference = excluded.external_reference, milestone = excluded.milestone, error_code = excluded.error_code,
    error_message = excluded.error_message, started_at = excluded.started_at, requested_at = excluded.requested_at,
    due_at = excluded.due_at, ended_at = excluded.ended_at, last_version = excluded.last_version,
    source_event_id = excluded.source_event_id, updated_at = excluded.updated_at
WHERE t.last_version < excluded.last_version
