UPDATE factline.effect_call
SET epoch = epoch + 1, due_at = clock_timestamp(),
    attempts = attempts - (state = 'PENDING')::int,
    result_attempts = result_attempts - (state = 'ANSWERED')::int
WHERE call_id = @call_id AND epoch = @epoch
