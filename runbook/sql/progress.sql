SELECT o.topic, o.partition, o.next_offset,
    (SELECT count(*) FROM factline.held_event h WHERE h.consumer = o.consumer AND h.topic = o.topic AND h.partition = o.partition) AS held,
    (SELECT count(*) FROM factline.blocked_key b WHERE b.consumer = o.consumer AND b.topic = o.topic AND b.partition = o.partition) AS blocked
FROM factline.consumer_offset o
WHERE o.consumer = @consumer
ORDER BY o.topic, o.partition
