INSERT INTO quote.mirror_configuration (tenant_id, configuration_id, version, body)
VALUES (@tenant_id, @id, 1, @body)
ON CONFLICT DO NOTHING
