UPDATE bench.skip_locked_outbox
SET status = 'PUBLISHED', published_at = now()
WHERE outbox_id = ANY($1::bigint[])
