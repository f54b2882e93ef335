-- What was set aside and follows a parked event of its key waits behind that.
UPDATE factline.outbox_parked k
SET shelf = NULL, reason = @behind::text
FROM factline.outbox_lane l, (
    SELECT topic, coalesce(record_key, '') AS record_key
    FROM factline.outbox_parked
    WHERE lane = @lane::smallint AND shelf IS NULL AND skipped_at IS NULL
    GROUP BY 1, 2
) AS fence
WHERE l.lane = @lane::smallint AND l.owner = @owner::text AND l.epoch = @epoch::bigint
    AND k.lane = l.lane AND k.shelf IS NOT NULL AND k.topic = fence.topic AND coalesce(k.record_key, '') = fence.record_key
