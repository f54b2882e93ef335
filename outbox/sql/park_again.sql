UPDATE factline.outbox_parked k
SET is_culprit = p.is_culprit, reason = p.reason
FROM factline.outbox_lane l, unnest(@positions::bigint[], @reasons::text[], @culprits::boolean[]) AS p(position, reason, is_culprit)
WHERE l.lane = @lane::smallint AND l.owner = @owner::text AND l.epoch = @epoch::bigint
    AND k.lane = l.lane AND k.position = p.position
