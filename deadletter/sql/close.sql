UPDATE factline.dead_letter
SET state = 'SKIPPED', closed_at = $2
WHERE dead_letter_id = $1
