SELECT reason, count(*)
FROM factline.held_event
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])
GROUP BY reason
