-- Aggregates whose lowest held version is due without a new record: somebody
-- unblocked the key or moved the gate. $4 bounds the work of one sweep in each
-- partition, so that none takes the room of the others.
SELECT partition, tenant_id, aggregate_type, aggregate_id, record_key
FROM (
    SELECT h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id, (array_agg(h.record_key))[1] AS record_key, row_number() OVER (PARTITION BY h.partition) AS n
    FROM factline.held_event h
    LEFT JOIN LATERAL (
        SELECT version
        FROM factline.gate
        WHERE consumer = h.consumer AND topic = h.topic
          AND tenant_id = h.tenant_id AND aggregate_type = h.aggregate_type AND aggregate_id = h.aggregate_id
        LIMIT 1
    ) g ON true
    WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = ANY ($3::int[])
      AND h.reason IN ('GAP', 'BLOCKED')
      AND h.aggregate_version <= COALESCE(g.version, 0) + 1
      AND NOT EXISTS (
          SELECT FROM factline.blocked_key b
          WHERE b.consumer = h.consumer AND b.topic = h.topic AND b.tenant_id = h.tenant_id AND b.record_key = h.block_key
            AND (b.aggregate_type <> h.aggregate_type OR b.aggregate_id <> h.aggregate_id OR b.aggregate_version <= h.aggregate_version)
          OFFSET 0
      )
    GROUP BY h.partition, h.tenant_id, h.aggregate_type, h.aggregate_id
) d
WHERE n <= $4
