-- Where dead letters stand. The group is compared in a way that no index of open
-- letters can be taken for, which would be read whole.
SELECT dead_letter_id, topic, partition
FROM factline.dead_letter
WHERE dead_letter_id = ANY ($2::text[]) AND consumer IS NOT DISTINCT FROM $1
