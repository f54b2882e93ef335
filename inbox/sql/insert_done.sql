INSERT INTO factline.inbox AS i (consumer, event_id, state, topic, partition, "offset", processed_at)
SELECT $1, e.event_id, 'DONE', $2, e.partition, e."offset", $6
FROM unnest($3::text[], $4::int[], $5::bigint[]) AS e (event_id, partition, "offset")
ON CONFLICT (consumer, event_id) DO UPDATE
    SET state = 'DONE', attempts = i.attempts + $7, processed_at = excluded.processed_at
    WHERE i.state = 'RETRYING'
RETURNING event_id
