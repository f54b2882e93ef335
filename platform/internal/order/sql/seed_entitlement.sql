INSERT INTO orders.mirror_entitlement (tenant_id, customer_id, credit_status, version)
VALUES (@tenant_id, @id, @credit_status, 1)
ON CONFLICT DO NOTHING
