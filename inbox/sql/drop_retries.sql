-- A tombstone deletes what stood before it on the log, and with that what of it
-- waits for its next attempt. Those events count as settled: no gate knows them,
-- and a group that is rewound must not apply them behind the tombstone.
WITH dropped AS (
    DELETE FROM factline.held_event h
    USING unnest($3::int[], $4::bigint[], $5::bytea[]) AS t (partition, "offset", record_key)
    WHERE h.consumer = $1 AND h.topic = $2 AND h.partition = t.partition AND h."offset" < t."offset"
      AND h.record_key = t.record_key AND h.reason = 'RETRY'
      -- Asked once: most of the time nothing waits.
      AND EXISTS (SELECT FROM factline.held_event WHERE consumer = $1 AND topic = $2 AND reason = 'RETRY' OFFSET 0)
    RETURNING h.event_id, h.partition, h."offset", h.attempts, h.dead_letter_id
), closed AS (
    UPDATE factline.dead_letter d
    SET state = 'SUPERSEDED', closed_at = $6
    FROM dropped
    WHERE d.dead_letter_id = dropped.dead_letter_id AND d.state = 'REDRIVEN'
)
INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
SELECT $1, event_id, 'DONE', attempts, $2, partition, "offset", $6
FROM dropped
WHERE event_id <> ''
ON CONFLICT (consumer, event_id) DO UPDATE
    SET state = 'DONE', processed_at = excluded.processed_at
    WHERE i.state = 'RETRYING'
