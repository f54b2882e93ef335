SELECT event_id
FROM factline.inbox
WHERE consumer = $1 AND event_id = ANY ($2::text[]) AND state <> 'RETRYING'
