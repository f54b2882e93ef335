INSERT INTO quote.mirror_entitlement (tenant_id, customer_id, version, body)
VALUES (@tenant_id, @id, 1, @body)
ON CONFLICT DO NOTHING
