UPDATE deadletter.redrive_item
SET state = 'ABANDONED', detail = @detail, settled_at = @now
WHERE redrive_id = @redrive_id AND state IN ('PENDING', 'SENT')
