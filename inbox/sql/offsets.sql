SELECT topic, partition, next_offset, cut_start
FROM factline.consumer_offset
WHERE consumer = $1 AND topic = ANY ($2::text[])
