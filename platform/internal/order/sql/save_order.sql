INSERT INTO orders.sales_order (order_id, tenant_id, quote_id, quote_revision, version, customer_id, currency, sales_channel, state,
    one_time_total, recurring_total, list_one_time_total, list_recurring_total, discount_percent, commercial_snapshot_hash,
    accepted_evidence_ref, requested_completion_date, captured_at, validated_at, activated_at, submitted_at, completed_at,
    cancelled_at, due_at, reason_code, outcome, created_at, updated_at)
VALUES (@order_id, @tenant_id, @quote_id, @quote_revision, @version, @customer_id, @currency, @sales_channel, @state,
    @one_time_total, @recurring_total, @list_one_time_total, @list_recurring_total, @discount_percent, @commercial_snapshot_hash,
    @accepted_evidence_ref, @requested_completion_date, @captured_at, @validated_at, @activated_at, @submitted_at, @completed_at,
    @cancelled_at, @due_at, @reason_code, @outcome, @created_at, @updated_at)
ON CONFLICT (order_id) DO UPDATE SET
    version = excluded.version, state = excluded.state, validated_at = excluded.validated_at, activated_at = excluded.activated_at,
    submitted_at = excluded.submitted_at, completed_at = excluded.completed_at, cancelled_at = excluded.cancelled_at,
    due_at = excluded.due_at, reason_code = excluded.reason_code, outcome = excluded.outcome, updated_at = excluded.updated_at
