UPDATE factline.effect_call
SET state = 'DONE', error = '', finished_at = clock_timestamp()
WHERE call_id = @call_id AND epoch = @epoch AND state = 'ANSWERED'
