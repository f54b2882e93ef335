-- By row address: the lock on the partition keeps everybody else from moving
-- these rows between the load and here. The key and the version tell a row from
-- another one that came to lie there; the number of rows is checked. The key is
-- compared as one value because its constants, as conditions of their own, make
-- the planner expect hardly any rows and loop over the whole table.
UPDATE factline.gate g
SET version = m.version, event_id = m.event_id
FROM unnest($1::text[]::tid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
     AS m (address, version, event_id, tenant_id, aggregate_type, aggregate_id)
WHERE g.ctid = m.address
  AND ARRAY[g.aggregate_id, g.tenant_id, g.aggregate_type, g.consumer, g.topic]
      IS NOT DISTINCT FROM ARRAY[m.aggregate_id, m.tenant_id, m.aggregate_type, $7, $8]
  -- In mode Latest the last of several records with one version wins.
  AND (g.version < m.version OR ($9 AND g.version = m.version))
