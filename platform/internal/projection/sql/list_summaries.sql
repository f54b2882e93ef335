SELECT tenant_id, order_id, quote_id, customer_id, sales_channel, currency, one_time_total, recurring_total, state, lines_total,
    lines_open, lines_completed, lines_failed, lines_waived, lines_cancelled, has_fallout, jeopardy_lines, open_incidents, outcome,
    captured_at, validated_at, activated_at, submitted_at, completed_at, cancelled_at, due_at, reason_code,
    commercial_snapshot_hash, last_version, source_event_id, updated_at
FROM projected_table
WHERE tenant_id = @tenant_id AND order_id > @after
    AND (@quote_id = '' OR quote_id = @quote_id) AND (@customer_id = '' OR customer_id = @customer_id)
    AND (@state = '' OR state = @state)
ORDER BY order_id LIMIT @rows
