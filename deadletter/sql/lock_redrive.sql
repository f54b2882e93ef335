SELECT state, content_hash, plan, settings, receipt, started_at, leased_until > clock_timestamp(), GREATEST(leased_until, 'epoch')
FROM deadletter.redrive
WHERE redrive_id = @redrive_id
FOR UPDATE
