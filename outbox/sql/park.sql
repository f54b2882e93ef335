WITH mine AS (
    UPDATE factline.outbox_lane
    SET low_water = greatest(low_water, @low_water::bigint)
    WHERE lane = @lane::smallint AND owner = @owner::text AND epoch = @epoch::bigint
    RETURNING lane
)
INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped, created_at, reason, is_culprit, parked_at)
SELECT e.lane, e.position, e.event_id, e.event_type, e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.topic, e.record_key, e.headers, e.value, e.stamped, e.created_at, p.reason, p.is_culprit, clock_timestamp()
FROM mine
CROSS JOIN unnest(@positions::bigint[], @reasons::text[], @culprits::boolean[]) AS p(position, reason, is_culprit)
JOIN factline.outbox_event e ON e.lane = mine.lane AND e.position = p.position
ON CONFLICT DO NOTHING
