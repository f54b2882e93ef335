UPDATE deadletter.redrive
SET leased_until = clock_timestamp() + @lease::interval
WHERE redrive_id = @redrive_id AND lease_owner = @owner
