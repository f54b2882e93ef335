-- What is to be tried again, of each partition the longest overdue first: one
-- whose handler hangs must not take the room of the others. An event whose key
-- waits for an earlier one waits as well.
SELECT p.partition, d."offset", d.record_key
FROM unnest($3::int[]) AS p (partition)
CROSS JOIN LATERAL (
    SELECT h."offset", h.record_key
    FROM factline.held_event h
    WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = p.partition AND h.reason = 'RETRY' AND h.due_at <= $4
      AND NOT EXISTS (
          SELECT FROM factline.blocked_key b
          WHERE b.consumer = h.consumer AND b.topic = h.topic AND b.tenant_id = h.tenant_id AND b.record_key = h.block_key
            AND b.event_id <> h.event_id
            AND (b.aggregate_type <> h.aggregate_type OR b.aggregate_id <> h.aggregate_id OR b.aggregate_version <= h.aggregate_version)
      )
    ORDER BY h.due_at
    LIMIT $5
) d
