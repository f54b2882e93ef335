SELECT body FROM quote.mirror_configuration
WHERE tenant_id = @tenant_id AND configuration_id = ANY(@configuration_ids)
