UPDATE factline.effect_call
SET state = @state, response = @response, error = '', answered_at = clock_timestamp(), result_attempts = 1,
    due_at = clock_timestamp() + @lease::interval,
    finished_at = CASE WHEN @state = 'DONE' THEN clock_timestamp() END
WHERE call_id = @call_id AND epoch = @epoch
