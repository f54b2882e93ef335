-- Due at once, by whatever clock the member has that tries it. A tombstone is not
-- tried again: it would delete what came after it. Of what has the version of its
-- gate, in mode latest, the gate's event wins where it is known to stand behind it.
-- The letters are found by their ids alone, as in letter_places.
WITH asked AS MATERIALIZED (
    SELECT d.ctid AS address, r.redrive_id
    FROM unnest($1::text[], $3::text[]) AS r (dead_letter_id, redrive_id)
    CROSS JOIN LATERAL (
        SELECT ctid
        FROM factline.dead_letter
        WHERE dead_letter_id = r.dead_letter_id AND consumer IS NOT DISTINCT FROM $2
          AND state || '' = 'OPEN' AND r.redrive_id <> ALL (redrives) AND value IS NOT NULL
        LIMIT 1
    ) d
), letter AS (
    UPDATE factline.dead_letter d
    SET state = 'REDRIVEN', redrive_id = a.redrive_id, redrives = d.redrives || a.redrive_id
    FROM asked a
    WHERE d.ctid = a.address
    RETURNING d.*
), known AS (
    INSERT INTO factline.inbox AS i (consumer, event_id, state, attempts, topic, partition, "offset", processed_at)
    SELECT DISTINCT ON (event_id) consumer, event_id, 'RETRYING', attempts, topic, partition, "offset", $4
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
    UPDATE factline.blocked_key
    SET reason = 'RETRY', dead_letter_id = ''
    WHERE ctid = ANY (ARRAY(
        SELECT b.ctid
        FROM letter l
        CROSS JOIN LATERAL (
            SELECT ctid
            FROM factline.blocked_key
            WHERE consumer = l.consumer AND topic = l.topic AND tenant_id = l.tenant_id AND record_key = l.block_key
              AND event_id = l.event_id
            LIMIT 1
        ) b
    ))
)
SELECT dead_letter_id FROM letter
