-- How far an outbox counts an aggregate, and the first of the versions asked for
-- that it may still publish. What an operator skipped has its time.
SELECT s.version AS head, COALESCE(p.version, 0) AS version, COALESCE(p.event_id, '') AS event_id, COALESCE(p.parked, false) AS parked
FROM factline.outbox_stream s
LEFT JOIN LATERAL (
    SELECT k.aggregate_version AS version, k.event_id, true AS parked
    FROM factline.outbox_parked k
    WHERE k.topic = @topic AND k.tenant_id = s.tenant_id AND k.aggregate_type = s.aggregate_type AND k.aggregate_id = s.aggregate_id
      AND k.aggregate_version BETWEEN @from AND @to AND k.skipped_at IS NULL
    UNION ALL
    SELECT e.aggregate_version, e.event_id, false
    FROM factline.outbox_lane l
    JOIN factline.outbox_event e ON e.lane = l.lane AND e.position > l.low_water
    WHERE e.topic = @topic AND e.tenant_id = s.tenant_id AND e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id
      AND e.aggregate_version BETWEEN @from AND @to AND e.stamped
      AND NOT EXISTS (SELECT FROM factline.outbox_parked k WHERE k.lane = e.lane AND k.position = e.position)
    ORDER BY version
    LIMIT 1
) AS p ON true
WHERE s.tenant_id = @tenant_id AND s.aggregate_type = @aggregate_type AND s.aggregate_id = @aggregate_id
