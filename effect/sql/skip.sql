UPDATE factline.effect_call
SET state = 'SKIPPED', epoch = epoch + 1, finished_at = clock_timestamp()
WHERE call_id = @call_id
