SELECT version FROM factline.outbox_stream WHERE aggregate_type = @aggregate_type AND aggregate_id = @id ORDER BY version DESC LIMIT 1
