UPDATE factline.effect_call
SET due_at = clock_timestamp() + @wait::interval, error = @error
WHERE call_id = @call_id AND epoch = @epoch
