-- Those of a letter, oldest first.
SELECT correction_id, dead_letter_id, event_id, replaced_id, operator, reason, corrected_at
FROM factline.correction
WHERE dead_letter_id = @letter_id
ORDER BY corrected_at, correction_id
