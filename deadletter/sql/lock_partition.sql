-- The lock that the consumer takes for every transaction on the partition, and
-- before it the turn that it queues for: without one this would wait as long as
-- there is work, because transactions that share the partition follow each other.
WITH place AS (
    SELECT consumer, topic, partition
    FROM factline.dead_letter
    WHERE dead_letter_id = $1
), turn AS (
    SELECT pg_advisory_xact_lock(hashtextextended(format('factline partition %s %s/%s', consumer, topic, partition), 0))
    FROM place
)
SELECT o.cut_start
FROM factline.consumer_offset o
JOIN place d ON d.consumer = o.consumer AND d.topic = o.topic AND d.partition = o.partition
CROSS JOIN (SELECT count(*) FROM turn) queued
FOR UPDATE OF o
