-- The columns of read_released.sql.
SELECT 1::int, k.position, k.created_at, k.topic, k.event_type, k.event_id, k.stamped, k.record_key, k.headers, k.value,
    (extract(epoch FROM k.parked_at) * 1000000)::bigint
FROM factline.outbox_parked k
WHERE k.lane = @lane::smallint AND k.topic = @topic::text AND k.shelf = @shelf::text
ORDER BY k.position
LIMIT @page::int
