SELECT consumer, event_id, state, attempts, topic, partition, "offset"
FROM factline.inbox
ORDER BY consumer, event_id
