UPDATE factline.consumer_offset o
SET next_offset = greatest(o.next_offset, e.next_offset), updated_at = $5
FROM unnest($3::int[], $4::bigint[]) AS e (partition, next_offset)
WHERE o.consumer = $1 AND o.topic = $2 AND o.partition = e.partition
