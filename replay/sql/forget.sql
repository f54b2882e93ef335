WITH inbox AS (DELETE FROM factline.inbox WHERE consumer = $1),
     gate AS (DELETE FROM factline.gate WHERE consumer = $1),
     held AS (DELETE FROM factline.held_event WHERE consumer = $1),
     blocked AS (DELETE FROM factline.blocked_key WHERE consumer = $1)
DELETE FROM factline.consumer_offset WHERE consumer = $1
