SELECT event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, created_at, record_key, value, stamped
FROM factline.outbox_event
ORDER BY lane, position
