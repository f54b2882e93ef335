UPDATE factline.outbox_lane
SET owner = '', leased_until = '-infinity'
WHERE owner = @owner::text AND lane = ANY(@lanes::smallint[])
