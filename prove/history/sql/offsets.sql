SELECT consumer, topic, partition, next_offset
FROM factline.consumer_offset
