SELECT l.lane, l.owner, l.epoch, l.low_water,
    CASE WHEN isfinite(l.leased_until) THEN greatest(extract(epoch FROM l.leased_until - clock_timestamp()), 0) ELSE 0 END::float8 AS lease_seconds,
    (greatest(pending.events - coalesce(ahead.events, 0), 0) + aside.settled)::bigint AS pending,
    coalesce(extract(epoch FROM clock_timestamp() - least(oldest.created_at, first_aside.created_at)), 0)::float8 AS oldest_seconds,
    aside.events AS set_aside,
    coalesce(parked.events, 0)::bigint AS parked
FROM factline.outbox_lane l
CROSS JOIN LATERAL (
    SELECT count(*) AS events
    FROM (SELECT FROM factline.outbox_event e WHERE e.lane = l.lane AND e.position > l.low_water LIMIT @count_limit::int) AS page
) AS counted
CROSS JOIN LATERAL (
    -- Counting a long backlog every few seconds would slow its publishing down.
    SELECT CASE WHEN counted.events < @count_limit::int THEN counted.events ELSE (
        SELECT e.position FROM factline.outbox_event e WHERE e.lane = l.lane ORDER BY e.position DESC LIMIT 1
    ) - l.low_water END AS events
) AS pending
LEFT JOIN LATERAL (
    -- What is done above the mark: published, or parked and perhaps skipped since.
    SELECT (
        SELECT count(*)
        FROM factline.outbox_receipt r CROSS JOIN LATERAL unnest(r.positions) AS p(position)
        WHERE r.lane = l.lane AND r.last_position > l.low_water AND p.position > l.low_water
    ) + (
        SELECT count(*) FROM factline.outbox_parked k WHERE k.lane = l.lane AND k.position > l.low_water AND k.shelf IS NULL
    ) AS events
) AS ahead ON true
LEFT JOIN LATERAL (
    SELECT e.created_at FROM factline.outbox_event e
    WHERE e.lane = l.lane AND e.position > l.low_water
    ORDER BY e.position LIMIT 1
) AS oldest ON pending.events > coalesce(ahead.events, 0)
LEFT JOIN LATERAL (
    SELECT count(*) AS events FROM factline.outbox_parked k WHERE k.lane = l.lane AND k.skipped_at IS NULL AND k.shelf IS NULL
) AS parked ON true
CROSS JOIN LATERAL (
    -- Those up to the mark are counted nowhere else.
    SELECT count(*) AS events, count(*) FILTER (WHERE page.position <= l.low_water) AS settled
    FROM (SELECT k.position FROM factline.outbox_parked k WHERE k.lane = l.lane AND k.shelf IS NOT NULL LIMIT @count_limit::int) AS page
) AS aside
LEFT JOIN LATERAL (
    SELECT k.created_at FROM factline.outbox_parked k
    WHERE k.lane = l.lane AND k.shelf IS NOT NULL
    ORDER BY k.position LIMIT 1
) AS first_aside ON aside.events > 0
ORDER BY l.lane
