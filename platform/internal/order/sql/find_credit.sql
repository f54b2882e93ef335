SELECT COALESCE((SELECT credit_status = 'HOLD' FROM orders.mirror_entitlement
                 WHERE tenant_id = @tenant_id AND customer_id = @customer_id), false)
