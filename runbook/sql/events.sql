-- Events of an aggregate, or one event, with what became of each row. The
-- outbox has no index on either id, so the scan is bounded in time.
SELECT e.lane, e.position, e.created_at, e.event_id, e.event_type, e.tenant_id, e.aggregate_type, e.aggregate_id,
    e.aggregate_version, e.topic, l.owner, l.low_water,
    isfinite(l.leased_until) AND l.leased_until > clock_timestamp() AS is_leased,
    extract(epoch FROM clock_timestamp() - e.created_at)::float8 AS age_seconds,
    receipt.partition, receipt."offset", receipt.published_at, k.reason AS parked_reason, coalesce(k.is_culprit, false) AS is_culprit
FROM factline.outbox_event e
JOIN factline.outbox_lane l ON l.lane = e.lane
LEFT JOIN LATERAL (
    SELECT p.partition, p."offset", r.published_at
    FROM factline.outbox_receipt r
    CROSS JOIN LATERAL unnest(r.positions, r.partitions, r.offsets) AS p(position, partition, "offset")
    WHERE r.lane = e.lane AND r.last_position >= e.position AND r.first_position <= e.position AND p.position = e.position
    ORDER BY r.published_at
    LIMIT 1
) AS receipt ON true
LEFT JOIN factline.outbox_parked k ON k.lane = e.lane AND k.position = e.position
WHERE e.stamped AND e.created_at >= @since AND (e.aggregate_id = @id OR e.event_id = @id)
ORDER BY e.aggregate_version, e.position
LIMIT 1000
