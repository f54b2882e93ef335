UPDATE bench.textbook_outbox
SET status = 'PUBLISHED', published_at = now(), partition = $2, "offset" = $3
WHERE outbox_id = $1
