-- In one order, so that two members that share partitions take turns.
SELECT partition, next_offset, cut_start
FROM factline.consumer_offset
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])
ORDER BY partition
FOR UPDATE
