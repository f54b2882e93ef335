DELETE FROM factline.outbox_relay WHERE alive_until < clock_timestamp() - interval '1 hour'
