DELETE FROM factline.blocked_key
WHERE consumer = $1 AND topic = $2 AND tenant_id = $3 AND record_key = $4 AND event_id = $5
