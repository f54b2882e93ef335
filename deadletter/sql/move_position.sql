INSERT INTO deadletter.position (topic, partition, next_offset)
VALUES (@topic, @partition, @next_offset)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
