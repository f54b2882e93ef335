-- Off the shelf, as a parked event that was skipped. What the relay deletes or
-- parks at this moment is its own: nobody waits for the other.
UPDATE factline.outbox_parked k
SET shelf = NULL, skipped_at = clock_timestamp()
FROM (
    SELECT lane, position FROM factline.outbox_parked
    WHERE topic = @topic::text AND shelf IS NOT NULL
    FOR UPDATE SKIP LOCKED
) AS waiting
WHERE k.lane = waiting.lane AND k.position = waiting.position
