INSERT INTO deadletter.redrive (redrive_id, state, operator, reason, content_hash, plan, planned_at)
VALUES (@redrive_id, 'PLANNED', @operator, @reason, @content_hash, @plan, @planned_at)
