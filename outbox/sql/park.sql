-- The statement before, of the same transaction, moved the mark and holds the lane.
WITH mine AS (
    SELECT lane FROM factline.outbox_lane
    WHERE lane = @lane::smallint AND owner = @owner::text AND epoch = @epoch::bigint
)
INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped, created_at, reason, is_culprit, parked_at)
SELECT e.lane, e.position, e.event_id, e.event_type, e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.topic, e.record_key, e.headers, e.value, e.stamped, e.created_at, p.reason, p.is_culprit, clock_timestamp()
FROM mine
CROSS JOIN unnest(@positions::bigint[], @reasons::text[], @culprits::boolean[]) AS p(position, reason, is_culprit)
JOIN factline.outbox_event e ON e.lane = mine.lane AND e.position = p.position
ON CONFLICT DO NOTHING
