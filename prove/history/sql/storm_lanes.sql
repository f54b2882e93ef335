-- How often lanes changed hands, the first epoch of each left out, and how the
-- relays share them at this moment.
WITH held AS (
    SELECT owner, count(*) AS lanes
    FROM factline.outbox_lane
    WHERE owner <> '' AND leased_until > clock_timestamp()
    GROUP BY owner
), every AS (
    SELECT coalesce(sum(greatest(epoch - 1, 0)), 0)::int AS takeovers, count(*) AS lanes
    FROM factline.outbox_lane
)
SELECT every.takeovers, count(held.owner)::int,
    coalesce(sum(held.lanes) = every.lanes AND max(held.lanes) - min(held.lanes) <= 1, false)
FROM every LEFT JOIN held ON true
GROUP BY every.takeovers, every.lanes
