-- What the live group gave up. Its replay gives up the same.
SELECT event_id, topic, dead_letter_id, error_class, state
FROM factline.dead_letter
WHERE consumer = $1 AND topic = ANY ($2::text[]) AND event_id <> ''
