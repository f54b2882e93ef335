-- Whether the relay recorded that it published an event.
SELECT EXISTS (
    SELECT FROM factline.outbox_event e
    JOIN factline.outbox_receipt r ON r.lane = e.lane AND e.position = ANY (r.positions)
    WHERE e.event_id = $1
) OR EXISTS (
    SELECT FROM factline.outbox_event e
    JOIN factline.outbox_lane l ON l.lane = e.lane AND l.low_water >= e.position
    WHERE e.event_id = $1
)
