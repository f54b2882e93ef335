-- A gate that was not loaded is new; the number of rows is checked.
INSERT INTO factline.gate AS g (consumer, topic, tenant_id, aggregate_type, aggregate_id, version, event_id, is_baseline)
SELECT $1, $2, m.tenant_id, m.aggregate_type, m.aggregate_id, m.version, m.event_id, m.is_baseline
FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::boolean[])
     AS m (tenant_id, aggregate_type, aggregate_id, version, event_id, is_baseline)
ON CONFLICT (aggregate_id, tenant_id, aggregate_type, consumer, topic) DO NOTHING
