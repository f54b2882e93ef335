SELECT (SELECT count(*) FROM factline.held_event), (SELECT count(*) FROM factline.blocked_key),
    (SELECT count(*) FROM factline.dead_letter WHERE state = 'OPEN'), (SELECT count(*) FROM factline.outbox_parked WHERE skipped_at IS NULL)
