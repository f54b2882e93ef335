-- What is published above the low-water mark: a new owner must not send it again.
SELECT r.lane, p.position
FROM factline.outbox_lane l
JOIN factline.outbox_receipt r ON r.lane = l.lane AND r.last_position > l.low_water
CROSS JOIN LATERAL unnest(r.positions) AS p(position)
WHERE l.lane = ANY(@lanes::smallint[]) AND p.position > l.low_water
UNION ALL
SELECT k.lane, k.position
FROM factline.outbox_lane l
JOIN factline.outbox_parked k ON k.lane = l.lane AND k.position > l.low_water
WHERE l.lane = ANY(@lanes::smallint[])
