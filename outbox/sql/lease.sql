UPDATE factline.outbox_lane AS l
SET owner = @owner::text,
    epoch = CASE WHEN l.owner = @owner::text THEN l.epoch ELSE l.epoch + 1 END,
    leased_until = clock_timestamp() + @ttl::interval
WHERE l.lane IN (
    SELECT lane FROM factline.outbox_lane
    WHERE owner = @owner::text OR leased_until < clock_timestamp()
    ORDER BY lane
    FOR UPDATE)
RETURNING l.lane, l.epoch, l.low_water
