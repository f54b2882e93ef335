-- Only rows that are as they were when they were read: a recording whose answer
-- was lost is offered again, and an operator may have decided in between.
UPDATE factline.outbox_parked k
SET is_culprit = p.is_culprit, reason = p.reason, shelf = NULL, parked_at = clock_timestamp()
FROM factline.outbox_lane l, unnest(@positions::bigint[], @reasons::text[], @culprits::boolean[], @parked_micros::bigint[]) AS p(position, reason, is_culprit, parked_micros)
WHERE l.lane = @lane::smallint AND l.owner = @owner::text AND l.epoch = @epoch::bigint
    AND k.lane = l.lane AND k.position = p.position AND (extract(epoch FROM k.parked_at) * 1000000)::bigint = p.parked_micros
