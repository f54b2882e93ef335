-- How many events wait to be published. The distance of a lane's positions from
-- its low-water mark, and what is set aside below it, is enough while it is below
-- the limit. Above, what is published or parked beyond the mark is taken off: an
-- open transaction may hold it down. A transaction with one snapshot for all of
-- its statements sees old marks beside new positions: it gets no answer.
WITH distance AS MATERIALIZED (
    SELECT coalesce(sum(greatest(coalesce(pg_sequence_last_value(('factline.outbox_position_' || lane)::regclass), 0) - low_water, 0)), 0)::bigint + (
        SELECT count(*) FROM (
            SELECT FROM factline.outbox_lane l JOIN factline.outbox_parked k ON k.lane = l.lane AND k.shelf IS NOT NULL AND k.position <= l.low_water
            LIMIT @most::bigint
        ) AS aside
    ) AS events
    FROM factline.outbox_lane
)
SELECT CASE WHEN events < @most::bigint THEN events ELSE greatest(events - (
    SELECT coalesce(sum(cardinality(r.positions)), 0)
    FROM factline.outbox_lane l JOIN factline.outbox_receipt r ON r.lane = l.lane AND r.last_position > l.low_water
) - (
    SELECT count(*)
    FROM factline.outbox_lane l JOIN factline.outbox_parked k ON k.lane = l.lane AND k.position > l.low_water AND k.shelf IS NULL
), 0) END::bigint
FROM distance
WHERE current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable')
