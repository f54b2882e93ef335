UPDATE deadletter.redrive
SET lease_owner = '', leased_until = '-infinity'
WHERE redrive_id = @redrive_id AND lease_owner = @owner
