SELECT topic, partition, next_offset
FROM deadletter.position
