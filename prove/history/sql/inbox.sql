SELECT consumer, event_id, state, attempts, topic, partition, "offset", processed_at
FROM factline.inbox
ORDER BY consumer, event_id
