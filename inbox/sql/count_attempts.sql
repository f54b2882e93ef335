INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
SELECT $1, e.event_id, 'RETRYING', 1, $2, e.partition, e."offset", $6
FROM unnest($3::text[], $4::int[], $5::bigint[]) AS e (event_id, partition, "offset")
ORDER BY e.event_id
ON CONFLICT (consumer, event_id) DO UPDATE
    SET attempts = i.attempts + 1, processed_at = excluded.processed_at
    WHERE i.state = 'RETRYING'
RETURNING event_id, attempts
