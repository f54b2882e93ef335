-- The columns of read.sql and since when each is parked: rows that no culprit of
-- their key precedes.
SELECT 1::int, k.position, k.created_at, k.topic, k.event_type, k.event_id, k.stamped, k.record_key, k.headers, k.value,
    (extract(epoch FROM k.parked_at) * 1000000)::bigint
FROM factline.outbox_parked k
WHERE k.lane = @lane::smallint AND k.skipped_at IS NULL AND k.shelf IS NULL AND NOT EXISTS (
    SELECT FROM factline.outbox_parked c
    WHERE c.lane = k.lane AND c.topic = k.topic AND coalesce(c.record_key, '') = coalesce(k.record_key, '')
        AND c.is_culprit AND c.skipped_at IS NULL AND c.position <= k.position)
ORDER BY k.position
LIMIT @page::int
