SELECT attempts
FROM factline.inbox
WHERE consumer = $1 AND event_id = $2 AND state = 'RETRYING'
