-- The lock of the partition that the dead letter came from, as every transaction
-- on it takes.
SELECT o.partition
FROM factline.consumer_offset o
JOIN factline.dead_letter d ON d.consumer = o.consumer AND d.topic = o.topic AND d.partition = o.partition
WHERE d.dead_letter_id = $1 AND d.consumer = $2
FOR UPDATE OF o
