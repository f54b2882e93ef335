UPDATE deadletter.redrive_item
SET state = 'NOT_SENT', detail = @detail, settled_at = @now
WHERE redrive_id = @redrive_id AND state = 'PENDING'
