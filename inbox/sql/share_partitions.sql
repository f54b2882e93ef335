-- The transactions of the member whose mark a partition has work on it side by
-- side. Whoever finds another mark, or none, has the partition to himself: his
-- lock waits for all of theirs and theirs for his. A lock on the key alone lets
-- the one that holds the lowest unfinished record move the offset meanwhile.
WITH shared AS (
    SELECT partition, next_offset, cut_start
    FROM factline.consumer_offset
    WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[]) AND member = $4
    ORDER BY partition
    FOR KEY SHARE
), own AS (
    SELECT partition, next_offset, cut_start
    FROM factline.consumer_offset
    WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[]) AND member <> $4
    ORDER BY partition
    FOR UPDATE
)
SELECT partition, next_offset, cut_start FROM shared
UNION ALL
SELECT partition, next_offset, cut_start FROM own
