-- The first epoch of a lane is no takeover.
SELECT coalesce(sum(greatest(epoch - 1, 0)), 0)::int FROM factline.outbox_lane
