-- What follows a parked event of its key is parked behind it, or the two kinds
-- of a key would be sent side by side. A lane without parked events is spared the
-- look at them. The statement before, of the same transaction, moved the mark and
-- holds the lane.
WITH mine AS (
    SELECT lane FROM factline.outbox_lane
    WHERE lane = @lane::smallint AND owner = @owner::text AND epoch = @epoch::bigint
), fence AS (
    SELECT DISTINCT topic, coalesce(record_key, '') AS record_key
    FROM factline.outbox_parked
    WHERE @has_fences::boolean AND lane = @lane::smallint AND shelf IS NULL AND skipped_at IS NULL
)
INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped, created_at, reason, is_culprit, parked_at, shelf)
SELECT e.lane, e.position, e.event_id, e.event_type, e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.topic, e.record_key, e.headers, e.value, e.stamped, e.created_at,
    CASE WHEN fence.topic IS NULL THEN @reason::text ELSE @behind::text END, false, clock_timestamp(),
    CASE WHEN fence.topic IS NULL THEN a.shelf END
FROM mine
CROSS JOIN unnest(@positions::bigint[], @shelves::text[]) AS a(position, shelf)
JOIN factline.outbox_event e ON e.lane = mine.lane AND e.position = a.position
LEFT JOIN fence ON fence.topic = e.topic AND fence.record_key = coalesce(e.record_key, '')
ON CONFLICT DO NOTHING
