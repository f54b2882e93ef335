SELECT min(due_at)
FROM factline.held_event
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[]) AND reason = 'RETRY' AND due_at > $4
