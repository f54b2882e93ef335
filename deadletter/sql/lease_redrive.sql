-- Not a run: the state stays, should this one die.
UPDATE deadletter.redrive
SET lease_owner = @owner, leased_until = clock_timestamp() + @lease::interval
WHERE redrive_id = @redrive_id
