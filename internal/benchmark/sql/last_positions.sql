SELECT lane, coalesce(pg_sequence_last_value(('factline.outbox_position_' || lane)::regclass), 0)
FROM factline.outbox_lane
