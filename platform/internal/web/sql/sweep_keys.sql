DELETE FROM service_schema.idempotency WHERE expires_at <= $1
