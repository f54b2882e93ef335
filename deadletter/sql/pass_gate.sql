INSERT INTO factline.gate AS g (consumer, topic, tenant_id, aggregate_type, aggregate_id, version, event_id, is_baseline)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (consumer, topic, tenant_id, aggregate_type, aggregate_id) DO UPDATE
    SET version = excluded.version, event_id = excluded.event_id
    WHERE g.version < excluded.version
