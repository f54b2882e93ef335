SELECT order_id, tenant_id, quote_id, quote_revision, version, customer_id, currency, sales_channel, state, one_time_total,
    recurring_total, list_one_time_total, list_recurring_total, discount_percent, commercial_snapshot_hash, accepted_evidence_ref,
    requested_completion_date, captured_at, validated_at, activated_at, submitted_at, completed_at, cancelled_at, due_at,
    reason_code, outcome, created_at, updated_at
FROM orders.sales_order
WHERE tenant_id = @tenant_id AND order_id = @order_id
