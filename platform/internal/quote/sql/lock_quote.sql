SELECT quote_id, tenant_id, quote_number, revision, version, customer_id, currency, price_book_code, sales_channel, state,
    valid_from, valid_until, COALESCE(catalog_version_id, '') AS catalog_version_id, COALESCE(price_book_id, '') AS price_book_id,
    COALESCE(price_book_version, 0) AS price_book_version, COALESCE(discount_policy_version, 0) AS discount_policy_version,
    COALESCE(pricing_run_id, '') AS pricing_run_id, priced_at, one_time_total, recurring_total, list_one_time_total,
    list_recurring_total, discount_percent, approval_signals, COALESCE(approval_mode, '') AS approval_mode,
    COALESCE(approval_request_id, '') AS approval_request_id, COALESCE(approval_case_id, '') AS approval_case_id,
    COALESCE(approved_by, '') AS approved_by, approved_at, COALESCE(submitted_by, '') AS submitted_by, submitted_at,
    COALESCE(accepted_by, '') AS accepted_by, accepted_at, COALESCE(accepted_evidence_ref, '') AS accepted_evidence_ref,
    COALESCE(requested_completion, '') AS requested_completion,
    COALESCE(commercial_snapshot_hash, '') AS commercial_snapshot_hash, COALESCE(order_id, '') AS order_id,
    COALESCE(reason_code, '') AS reason_code, created_at, updated_at
FROM quote.quote
WHERE tenant_id = @tenant_id AND quote_id = @quote_id
FOR UPDATE
