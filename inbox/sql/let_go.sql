DELETE FROM factline.held_event h
USING unnest($3::int[], $4::bigint[]) AS e (partition, "offset")
WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = e.partition AND h."offset" = e."offset"
