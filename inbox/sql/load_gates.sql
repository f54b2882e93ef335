-- LIMIT keeps the lookup one of the primary key for each aggregate, whatever the
-- statistics say: joined freely, a young gate table is read whole per aggregate.
SELECT k.n, g.version, g.event_id, g.is_baseline, g.address
FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS k (tenant_id, aggregate_type, aggregate_id, n)
CROSS JOIN LATERAL (
    SELECT version, event_id, is_baseline, ctid::text AS address
    FROM factline.gate
    WHERE consumer = $1 AND topic = $2
      AND tenant_id = k.tenant_id AND aggregate_type = k.aggregate_type AND aggregate_id = k.aggregate_id
    LIMIT 1
) g
