INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
SELECT $1, e.event_id, 'DEAD', e.attempts, $2, e.partition, e."offset", $7
FROM unnest($3::text[], $4::int[], $5::bigint[], $6::int[]) AS e (event_id, partition, "offset", attempts)
ON CONFLICT (consumer, event_id) DO UPDATE
    SET state = 'DEAD', attempts = excluded.attempts, processed_at = excluded.processed_at
    WHERE i.state = 'RETRYING'
