UPDATE factline.dead_letter
SET state = 'APPLIED', closed_at = $2
WHERE dead_letter_id = $1 AND state = 'REDRIVEN'
