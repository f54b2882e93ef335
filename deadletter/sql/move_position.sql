-- Never back: another collector may have come further, and what is read again
-- changes nothing.
INSERT INTO deadletter.position AS p (topic, partition, next_offset)
VALUES (@topic, @partition, @next_offset)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = greatest(p.next_offset, excluded.next_offset)
