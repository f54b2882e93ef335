INSERT INTO bench.textbook_inbox (event_id, consumer, topic, partition, "offset", status)
VALUES ($1, $2, $3, $4, $5, 'PROCESSING')
ON CONFLICT DO NOTHING
