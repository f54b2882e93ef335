-- A tombstone deletes what stood before it on the log: what of it was given up must
-- not bring the key back.
UPDATE factline.dead_letter d
SET state = 'SUPERSEDED', closed_at = $6
FROM unnest($3::int[], $4::bigint[], $5::bytea[]) AS t (partition, "offset", record_key)
WHERE d.consumer = $1 AND d.topic = $2 AND d.partition = t.partition AND d."offset" < t."offset"
  AND d.record_key = t.record_key AND d.value IS NOT NULL AND d.state = 'OPEN'
