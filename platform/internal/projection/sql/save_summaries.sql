INSERT INTO projected_table AS t
SELECT tenant_id, order_id, quote_id, customer_id, sales_channel, currency, one_time_total, recurring_total, state, lines_total,
    lines_open, lines_completed, lines_failed, lines_waived, lines_cancelled, has_fallout, jeopardy_lines, open_incidents, outcome,
    captured_at, validated_at, activated_at, submitted_at, completed_at, cancelled_at, due_at, reason_code,
    commercial_snapshot_hash, last_version, source_event_id, updated_at
FROM json_populate_recordset(NULL::projection.order_summary_projection, @rows)
ON CONFLICT (tenant_id, order_id) DO UPDATE SET
    state = excluded.state, lines_total = excluded.lines_total, lines_open = excluded.lines_open,
    lines_completed = excluded.lines_completed, lines_failed = excluded.lines_failed, lines_waived = excluded.lines_waived,
    lines_cancelled = excluded.lines_cancelled, has_fallout = excluded.has_fallout, jeopardy_lines = excluded.jeopardy_lines,
    open_incidents = excluded.open_incidents, outcome = excluded.outcome, validated_at = excluded.validated_at,
    activated_at = excluded.activated_at, submitted_at = excluded.submitted_at, completed_at = excluded.completed_at,
    cancelled_at = excluded.cancelled_at, due_at = excluded.due_at, reason_code = excluded.reason_code,
    last_version = excluded.last_version, source_event_id = excluded.source_event_id, updated_at = excluded.updated_at
WHERE t.last_version < excluded.last_version
