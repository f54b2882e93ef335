-- One statement says "I live", counts who else does, keeps what is ours and
-- takes free lanes up to our share. The shares of all relays add up to all
-- lanes: those that come first by name take what the division leaves over.
WITH me AS (
    INSERT INTO factline.outbox_relay (owner, alive_until)
    VALUES (@owner::text, clock_timestamp() + @ttl::interval)
    ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until
), live AS MATERIALIZED (
    SELECT 1 + count(*) AS relays, count(*) FILTER (WHERE owner < @owner::text) AS before
    FROM factline.outbox_relay
    WHERE owner <> @owner::text AND alive_until > clock_timestamp()
), share AS MATERIALIZED (
    SELECT relays, lanes / relays + CASE WHEN before < lanes % relays THEN 1 ELSE 0 END AS lanes
    FROM live, (SELECT count(*) AS lanes FROM factline.outbox_lane) AS counted
), held AS MATERIALIZED (
    SELECT lane FROM factline.outbox_lane
    WHERE owner = @owner::text
    ORDER BY lane
    FOR UPDATE
), free AS MATERIALIZED (
    SELECT lane FROM factline.outbox_lane
    WHERE owner <> @owner::text AND leased_until < clock_timestamp()
    ORDER BY lane
    LIMIT (SELECT greatest(share.lanes - (SELECT count(*) FROM held), 0) FROM share)
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE factline.outbox_lane AS l
    SET owner = @owner::text,
        epoch = CASE WHEN l.owner = @owner::text THEN l.epoch ELSE l.epoch + 1 END,
        leased_until = clock_timestamp() + @ttl::interval
    WHERE l.lane IN (SELECT lane FROM held UNION ALL SELECT lane FROM free)
    RETURNING l.lane, l.epoch, l.low_water
)
SELECT share.relays, share.lanes, taken.lane, taken.epoch, taken.low_water
FROM share LEFT JOIN taken ON true
