UPDATE factline.inbox
SET attempts = attempts - 1
WHERE consumer = $1 AND event_id = $2 AND state = 'RETRYING' AND attempts = $3
