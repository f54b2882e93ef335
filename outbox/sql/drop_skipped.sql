DELETE FROM factline.outbox_parked k
USING factline.outbox_lane l
WHERE l.lane = k.lane AND k.position <= l.low_water AND k.skipped_at < clock_timestamp() - @retention::interval
