DELETE FROM factline.held_event
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "offset" = $4 AND reason = 'CONFLICT'
