DELETE FROM factline.outbox_relay WHERE owner = @owner::text
