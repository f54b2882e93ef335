INSERT INTO factline.outbox_stream (tenant_id, aggregate_type, aggregate_id, version)
VALUES (@tenant_id, @aggregate_type, @aggregate_id, @version)
ON CONFLICT DO NOTHING
