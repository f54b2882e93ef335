SELECT event_id
FROM factline.held_event
WHERE consumer = $1 AND topic = $2 AND reason = 'RETRY' AND partition = ANY ($3::int[]) AND event_id = ANY ($4::text[])
