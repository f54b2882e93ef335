-- Locked in one order, so that two redrives never wait for each other in a circle.
SELECT letter_id, state, failures, event_id, event_type, tenant_id, record_key, headers, value
FROM deadletter.letter
WHERE letter_id = ANY (@letter_ids::text[])
ORDER BY letter_id
FOR UPDATE
