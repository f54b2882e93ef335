INSERT INTO bench.plain_event (event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, record_key, headers, value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
