-- An event that was corrected had its effect in the place of the one given up.
UPDATE factline.dead_letter d
SET closed_at = $3, state = CASE
        WHEN $2 = 'APPLIED' AND EXISTS (SELECT FROM factline.correction c WHERE c.dead_letter_id = d.dead_letter_id) THEN 'CORRECTED'
        ELSE $2
    END
WHERE dead_letter_id = $1 AND state = 'REDRIVEN'
