-- The lock that the consumer takes for every transaction on the partition.
SELECT o.cut_start
FROM factline.consumer_offset o
JOIN factline.dead_letter d ON d.consumer = o.consumer AND d.topic = o.topic AND d.partition = o.partition
WHERE d.dead_letter_id = $1
FOR UPDATE OF o
