-- What of a partition is to be tried again, the longest overdue first. An event
-- whose key waits for an earlier one waits as well.
SELECT h."offset", h.record_key, h.suspect, octet_length(h.value) + COALESCE(octet_length(h.headers), 0)
FROM factline.held_event h
WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = $3 AND h.reason = 'RETRY' AND h.due_at <= $4
  AND NOT EXISTS (
      SELECT FROM factline.blocked_key b
      WHERE b.consumer = h.consumer AND b.topic = h.topic AND b.tenant_id = h.tenant_id AND b.record_key = h.block_key
        AND b.event_id <> h.event_id
        AND (b.aggregate_type <> h.aggregate_type OR b.aggregate_id <> h.aggregate_id OR b.aggregate_version <= h.aggregate_version)
      OFFSET 0 -- one lookup per event: joined freely, every blocked key is read with each claim
  )
ORDER BY h.due_at
LIMIT $5
