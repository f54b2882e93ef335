SELECT
    COALESCE((SELECT o.order_id FROM orders.sales_order o WHERE o.tenant_id = @tenant_id AND o.quote_id = @quote_id), '') AS order_id,
    COALESCE((SELECT c.reason_code FROM orders.order_capture c
              WHERE c.tenant_id = @tenant_id AND c.quote_id = @quote_id AND c.quote_revision = @quote_revision), '') AS reason_code,
    COALESCE((SELECT c.detail FROM orders.order_capture c
              WHERE c.tenant_id = @tenant_id AND c.quote_id = @quote_id AND c.quote_revision = @quote_revision), '') AS detail,
    COALESCE((SELECT e.credit_status = 'HOLD' FROM orders.mirror_entitlement e
              WHERE e.tenant_id = @tenant_id AND e.customer_id = @customer_id), false) AS credit_hold
