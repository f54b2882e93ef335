UPDATE factline.effect_call
SET state = CASE WHEN answered_at IS NULL THEN 'PENDING' ELSE 'ANSWERED' END,
    attempts = CASE WHEN answered_at IS NULL THEN 0 ELSE attempts END,
    result_attempts = 0, epoch = epoch + 1, due_at = clock_timestamp(), finished_at = NULL
WHERE call_id = @call_id
