-- As the group's own transactions lock them, in one order, each with its turn.
WITH turn AS (
    SELECT pg_advisory_xact_lock(hashtextextended(format('factline partition %s %s/%s', @consumer::text, @topic::text, p.partition), 0))
    FROM unnest(@partitions::int[]) AS p (partition)
    ORDER BY p.partition
)
SELECT o.partition
FROM factline.consumer_offset o
CROSS JOIN (SELECT count(*) FROM turn) queued
WHERE o.consumer = @consumer AND o.topic = @topic AND o.partition = ANY (@partitions::int[])
ORDER BY o.partition
FOR UPDATE OF o
