DELETE FROM factline.outbox_receipt r
USING factline.outbox_lane l
WHERE l.lane = r.lane AND r.last_position <= l.low_water AND r.published_at < clock_timestamp() - @retention::interval
