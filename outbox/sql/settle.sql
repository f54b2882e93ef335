-- mine is empty when another relay has taken the lane: then nothing is written,
-- and the count says so.
WITH mine AS (
    UPDATE factline.outbox_lane
    SET low_water = greatest(low_water, @low_water::bigint)
    WHERE lane = @lane::smallint AND owner = @owner::text AND epoch = @epoch::bigint
    RETURNING lane
), receipt AS (
    INSERT INTO factline.outbox_receipt (lane, first_position, last_position, topic, positions, partitions, offsets, published_at)
    SELECT lane, @first_position::bigint, @last_position::bigint, @topic::text, @positions::bigint[], @partitions::int[], @offsets::bigint[], clock_timestamp()
    FROM mine
    ON CONFLICT (lane, topic, first_position) DO NOTHING
)
SELECT count(*) FROM mine
