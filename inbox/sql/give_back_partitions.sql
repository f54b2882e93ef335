UPDATE factline.consumer_offset o
SET member = ''
FROM unnest($3::text[], $4::int[]) AS p (topic, partition)
WHERE o.consumer = $1 AND o.topic = p.topic AND o.partition = p.partition AND o.member = $2
