UPDATE bench.textbook_inbox SET status = 'PROCESSED', processed_at = now()
WHERE event_id = $1 AND consumer = $2
