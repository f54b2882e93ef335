UPDATE deadletter.redrive
SET state = 'RUNNING', settings = @settings, started_at = COALESCE(started_at, @now),
    lease_owner = @owner, leased_until = clock_timestamp() + @lease::interval
WHERE redrive_id = @redrive_id
