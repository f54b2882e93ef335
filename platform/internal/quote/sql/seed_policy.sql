INSERT INTO quote.mirror_policy (tenant_id, discount_policy_version, body)
VALUES (@tenant_id, @version, @body)
ON CONFLICT DO NOTHING
