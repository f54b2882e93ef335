INSERT INTO factline.consumer_offset (consumer, topic, partition, next_offset, cut_start, updated_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, topic, partition) DO NOTHING
