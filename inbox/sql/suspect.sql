-- The reason is compared as in load_due.
UPDATE factline.held_event
SET suspect = true
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "offset" = ANY ($4::bigint[]) AND reason || '' = 'RETRY'
