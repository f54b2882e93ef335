-- The lowest row of each key and how many wait behind it.
SELECT parked_id, lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version,
    topic, record_key, reason, is_culprit, created_at, parked_at, held_events
FROM (
    SELECT k.*, row_number() OVER (PARTITION BY lane, topic, coalesce(record_key, '') ORDER BY position) AS place,
        count(*) OVER (PARTITION BY lane, topic, coalesce(record_key, '')) - 1 AS held_events
    FROM (
        SELECT parked_id, lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version,
            topic, record_key, reason, is_culprit, created_at, parked_at
        FROM factline.outbox_parked
        WHERE skipped_at IS NULL AND shelf IS NULL AND (@topic::text = '' OR topic = @topic::text)
    ) AS k
) AS keyed
WHERE place = 1 AND (@parked_id::text = '' OR parked_id = @parked_id::text)
ORDER BY parked_at DESC, lane, position
LIMIT @limit::int
