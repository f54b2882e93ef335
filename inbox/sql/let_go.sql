-- By row address, found by one lookup each: joined freely, a table that was small
-- when its statistics were made is read whole for every row.
DELETE FROM factline.held_event
WHERE ctid = ANY (ARRAY(
    SELECT h.ctid
    FROM unnest($3::int[], $4::bigint[]) AS e (partition, "offset")
    CROSS JOIN LATERAL (
        SELECT ctid
        FROM factline.held_event
        WHERE consumer = $1 AND topic = $2 AND partition = e.partition AND "offset" = e."offset"
        LIMIT 1
    ) h
))
