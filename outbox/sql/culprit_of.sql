-- The culprit that a parked row waits behind.
SELECT coalesce(c.parked_id, '')
FROM factline.outbox_parked k
LEFT JOIN factline.outbox_parked c ON c.lane = k.lane AND c.topic = k.topic AND coalesce(c.record_key, '') = coalesce(k.record_key, '')
    AND c.is_culprit AND c.skipped_at IS NULL AND c.position < k.position
WHERE k.parked_id = @parked_id::text AND k.skipped_at IS NULL
ORDER BY c.position
LIMIT 1
