SELECT DISTINCT lane, topic, record_key
FROM factline.outbox_parked
WHERE lane = ANY(@lanes::smallint[])
