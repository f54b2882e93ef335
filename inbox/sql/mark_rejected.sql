UPDATE factline.inbox
SET state = 'REJECTED'
WHERE consumer = $1 AND event_id = ANY ($2::text[])
