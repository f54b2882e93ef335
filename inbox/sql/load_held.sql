-- The lowest versions first: they become due first, and a hot aggregate with
-- thousands of held events must not be read whole with every chunk.
SELECT h.partition, h."offset", h.record_key, h.headers, h.value, h.record_time,
    h.retry_tier, h.attempts, h.held_at, h.gate_event_id, h.redrive_id, h.dead_letter_id
FROM unnest($3::text[], $4::text[], $5::text[]) AS k (tenant_id, aggregate_type, aggregate_id)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM factline.held_event e
    WHERE e.aggregate_id = k.aggregate_id AND e.tenant_id = k.tenant_id AND e.aggregate_type = k.aggregate_type
      AND e.consumer IS NOT DISTINCT FROM $1 AND e.topic IS NOT DISTINCT FROM $2 -- as in block_by_next
      AND e.reason IN ('GAP', 'BLOCKED')
      AND NOT EXISTS (
          SELECT FROM factline.blocked_key b
          WHERE b.consumer = e.consumer AND b.topic = e.topic AND b.tenant_id = e.tenant_id AND b.record_key = e.block_key
            AND (b.aggregate_type <> e.aggregate_type OR b.aggregate_id <> e.aggregate_id OR b.aggregate_version <= e.aggregate_version)
          OFFSET 0 -- one lookup per event, as in load_gates
      )
    ORDER BY e.aggregate_version, e."offset"
    LIMIT $6
) h
-- Asked once: most of the time nothing is held.
WHERE EXISTS (SELECT FROM factline.held_event WHERE consumer = $1 AND topic = $2 OFFSET 0)
ORDER BY h.tenant_id, h.aggregate_type, h.aggregate_id, h.aggregate_version, h."offset"
