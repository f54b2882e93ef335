-- What the default partition took has no partition of its own to be dropped with.
DELETE FROM factline.outbox_event_default e
USING factline.outbox_lane l
WHERE l.lane = e.lane AND e.position <= l.low_water AND e.created_at < clock_timestamp() - @retention::interval
