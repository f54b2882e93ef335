DELETE FROM factline.outbox_parked k
USING factline.outbox_lane l
WHERE l.lane = @lane::smallint AND l.owner = @owner::text AND l.epoch = @epoch::bigint
    AND k.lane = l.lane AND k.position = ANY(@positions::bigint[])
