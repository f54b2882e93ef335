UPDATE factline.outbox_lane
SET low_water = greatest(low_water, @low_water::bigint)
WHERE lane = @lane::smallint AND owner = @owner::text AND epoch = @epoch::bigint
