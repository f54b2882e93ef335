-- Locked in one order, so that two collectors take turns on a partition.
SELECT topic, partition, next_offset
FROM deadletter.position
WHERE topic = ANY (@topics::text[])
ORDER BY topic, partition
FOR UPDATE
