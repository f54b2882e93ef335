SELECT next_offset, cut_start
FROM factline.consumer_offset
WHERE consumer = $1 AND topic = $2 AND partition = $3
FOR UPDATE
