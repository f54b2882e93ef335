INSERT INTO factline.consumer_gap (consumer, topic, partition, from_offset, to_offset, found_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, topic, partition, from_offset) DO UPDATE
    SET to_offset = greatest(consumer_gap.to_offset, excluded.to_offset)
