-- The lock of the partition that the dead letter came from, as every transaction
-- on it takes, and its turn, as in queue_alone.
WITH place AS (
    SELECT consumer, topic, partition
    FROM factline.dead_letter
    WHERE dead_letter_id = $1 AND consumer = $2
), turn AS (
    SELECT pg_advisory_xact_lock(hashtextextended(format('factline partition %s %s/%s', consumer, topic, partition), 0))
    FROM place
)
SELECT o.partition
FROM factline.consumer_offset o
JOIN place d ON d.consumer = o.consumer AND d.topic = o.topic AND d.partition = o.partition
CROSS JOIN (SELECT count(*) FROM turn) queued
FOR UPDATE OF o
