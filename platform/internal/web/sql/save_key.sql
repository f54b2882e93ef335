INSERT INTO service_schema.idempotency (tenant_id, principal, route, key, body_hash, state, status, response, expires_at)
VALUES ($1, $2, $3, $4, $5, 'DONE', $6, $7, $8)
ON CONFLICT (tenant_id, principal, route, key) DO UPDATE
SET body_hash = excluded.body_hash, status = excluded.status, response = excluded.response, expires_at = excluded.expires_at
