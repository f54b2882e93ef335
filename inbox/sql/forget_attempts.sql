-- An event that a newer one has overtaken leaves no more trace than one that
-- arrived too late.
DELETE FROM factline.inbox
WHERE consumer = $1 AND event_id = $2 AND state = 'RETRYING'
