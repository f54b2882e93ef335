SELECT count(*)
FROM factline.consumer_offset
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])
