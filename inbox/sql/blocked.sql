SELECT count(*)
FROM factline.blocked_key
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3::int[])
