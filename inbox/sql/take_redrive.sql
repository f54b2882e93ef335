-- Due at once, by whatever clock the member has that tries it. A tombstone is not
-- tried again: it would delete what came after it. Of what has the version of its
-- gate, in mode latest, the gate's event wins where it is known to stand behind it.
WITH letter AS (
    UPDATE factline.dead_letter
    SET state = 'REDRIVEN', redrive_id = $3, redrives = redrives || $3::text
    WHERE dead_letter_id = $1 AND consumer = $2 AND state = 'OPEN' AND $3 <> ALL (redrives) AND value IS NOT NULL
    RETURNING *
), known AS (
    INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
    SELECT consumer, event_id, 'RETRYING', attempts, topic, partition, "offset", $4
    FROM letter
    WHERE event_id <> ''
    ON CONFLICT (consumer, event_id) DO UPDATE
        SET state = 'RETRYING', attempts = excluded.attempts, processed_at = excluded.processed_at
        WHERE i.state = 'DEAD'
), held AS (
    INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
        aggregate_version, event_id, event_type, block_key, record_key, headers, value, record_time, reason, held_at,
        attempts, due_at, redrive_id, dead_letter_id, gate_event_id)
    SELECT consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
        aggregate_version, event_id, event_type, block_key, record_key, headers, value, COALESCE(record_time, failed_at), 'RETRY', $4,
        attempts, '-infinity', redrive_id, dead_letter_id, COALESCE((
            SELECT g.event_id
            FROM factline.gate g
            WHERE g.consumer = l.consumer AND g.topic = l.topic AND g.tenant_id = l.tenant_id
              AND g.aggregate_type = l.aggregate_type AND g.aggregate_id = l.aggregate_id
              AND NOT EXISTS (
                  SELECT FROM factline.inbox i
                  WHERE i.consumer = g.consumer AND i.event_id = g.event_id AND i.partition = l.partition AND i."offset" > l."offset"
              )
        ), '')
    FROM letter l
    ON CONFLICT (consumer, topic, partition, "offset") DO UPDATE
        SET reason = excluded.reason, attempts = excluded.attempts, due_at = excluded.due_at,
            redrive_id = excluded.redrive_id, dead_letter_id = excluded.dead_letter_id, gate_event_id = excluded.gate_event_id
), blocked AS (
    UPDATE factline.blocked_key b
    SET reason = 'RETRY', dead_letter_id = ''
    FROM letter l
    WHERE b.consumer = l.consumer AND b.topic = l.topic AND b.tenant_id = l.tenant_id AND b.record_key = l.block_key
      AND b.event_id = l.event_id
)
SELECT count(*) FROM letter
