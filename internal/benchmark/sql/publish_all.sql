-- Every event of the outbox as a relay leaves it, in chunks of its size.
WITH settled AS (
    UPDATE factline.outbox_lane
    SET low_water = coalesce(pg_sequence_last_value(('factline.outbox_position_' || lane)::regclass), 0)
    RETURNING lane, low_water
)
INSERT INTO factline.outbox_receipt (lane, first_position, last_position, topic, positions, partitions, offsets, published_at)
SELECT lane, min(p), max(p), $1, array_agg(p ORDER BY p), array_agg(0), array_agg(p ORDER BY p), clock_timestamp()
FROM settled, generate_series(1, low_water) AS p
GROUP BY lane, (p - 1) / 2000
