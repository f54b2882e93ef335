-- Who lives, us included, and whether a lane is free to be taken.
SELECT (SELECT count(*) FROM factline.outbox_relay WHERE alive_until > clock_timestamp()) AS relays,
    EXISTS (SELECT FROM factline.outbox_lane WHERE owner <> @owner::text AND leased_until < clock_timestamp()) AS free
