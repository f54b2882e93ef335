UPDATE deadletter.redrive
SET state = @state, receipt = @receipt, ended_at = @ended_at, lease_owner = '', leased_until = '-infinity'
WHERE redrive_id = @redrive_id AND lease_owner = @owner
