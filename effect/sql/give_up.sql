UPDATE factline.effect_call
SET state = 'DEAD', error = @error, finished_at = clock_timestamp(), attempts = @attempts, result_attempts = @result_attempts
WHERE call_id = @call_id AND epoch = @epoch
