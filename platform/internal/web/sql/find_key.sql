SELECT body_hash, response
FROM service_schema.idempotency
WHERE tenant_id = $1 AND principal = $2 AND route = $3 AND key = $4 AND expires_at > $5
