-- A partition whose row is locked is being worked on by a member that believes it
-- still owns it: that one lives, and there is nothing to wait for.
WITH before AS (
    SELECT o.topic, o.partition, o.member
    FROM factline.consumer_offset o
    JOIN unnest($3::text[], $4::int[]) AS p (topic, partition) ON o.topic = p.topic AND o.partition = p.partition
    WHERE o.consumer = $1
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE factline.consumer_offset o
SET member = $2
FROM before b
WHERE o.consumer = $1 AND o.topic = b.topic AND o.partition = b.partition
RETURNING o.topic, o.partition, o.next_offset, b.member
