UPDATE factline.consumer_offset
SET next_offset = greatest(next_offset, $4), updated_at = $5
WHERE consumer = $1 AND topic = $2 AND partition = $3
