-- By row address: the lock on the partition keeps everybody else from moving
-- these rows between the load and here, and the number of rows is checked.
UPDATE factline.gate g
SET version = m.version, event_id = m.event_id
FROM unnest($1::text[]::tid[], $2::bigint[], $3::text[]) AS m (address, version, event_id)
WHERE g.ctid = m.address
