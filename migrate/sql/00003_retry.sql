-- +goose Up
-- An event that failed and is tried again later (RETRY) stays here, at due_at
-- and then after the pause with the index retry_tier. attempts is how many were
-- made when it was parked: more in the inbox mean one that did not end.
ALTER TABLE factline.held_event
    DROP CONSTRAINT held_event_reason_check,
    ADD CONSTRAINT held_event_reason_check CHECK (reason IN ('GAP', 'BLOCKED', 'CONFLICT', 'RETRY')),
    ADD COLUMN retry_tier smallint NOT NULL DEFAULT 0,
    ADD COLUMN attempts int NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz,
    -- In mode latest: whose event the aggregate's gate had when this one failed.
    ADD COLUMN gate_event_id text NOT NULL DEFAULT '',
    -- Set while a dead letter is tried again.
    ADD COLUMN redrive_id text NOT NULL DEFAULT '',
    ADD COLUMN dead_letter_id text NOT NULL DEFAULT '';
CREATE INDEX held_event_due ON factline.held_event (consumer, topic, partition, due_at) WHERE reason = 'RETRY';
-- What a key holds back is looked up with every park and unpark.
CREATE INDEX held_event_key ON factline.held_event (consumer, topic, tenant_id, block_key);

-- REDRIVEN: it is tried again. APPLIED: that succeeded, or was no longer needed.
-- redrives are all that were taken, so that none counts twice; redrive_id is the last.
ALTER TABLE factline.dead_letter
    DROP CONSTRAINT dead_letter_state_check,
    ADD CONSTRAINT dead_letter_state_check CHECK (state IN ('OPEN', 'SKIPPED', 'REDRIVEN', 'APPLIED')),
    ADD COLUMN redrive_id text NOT NULL DEFAULT '',
    ADD COLUMN redrives text[] NOT NULL DEFAULT '{}';
CREATE INDEX dead_letter_key ON factline.dead_letter (consumer, topic, tenant_id, block_key) WHERE blocks AND state = 'OPEN';

-- The member that works on a partition, empty once it gave it back. One that is
-- found by the next member died at its work, perhaps of an event.
ALTER TABLE factline.consumer_offset ADD COLUMN member text NOT NULL DEFAULT '';

-- Offsets that the log no longer held when a consumer came for them.
CREATE TABLE factline.consumer_gap (
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    partition   int         NOT NULL,
    from_offset bigint      NOT NULL,
    to_offset   bigint      NOT NULL, -- the log's start then, not lost itself
    found_at    timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, partition, from_offset)
);

-- +goose Down
DROP TABLE factline.consumer_gap;
ALTER TABLE factline.consumer_offset DROP COLUMN member;
-- A dead letter that is tried again is an open one as before, and its copy goes.
UPDATE factline.inbox i
SET state = 'DEAD'
FROM factline.dead_letter d
WHERE d.state = 'REDRIVEN' AND i.consumer = d.consumer AND i.event_id = d.event_id AND i.state = 'RETRYING';
DELETE FROM factline.held_event h
USING factline.dead_letter d
WHERE h.dead_letter_id = d.dead_letter_id AND d.state = 'REDRIVEN' AND h.reason <> 'CONFLICT';
DROP INDEX factline.dead_letter_key;
UPDATE factline.dead_letter SET state = 'OPEN' WHERE state = 'REDRIVEN';
UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE state = 'APPLIED';
-- An event that waits for its next attempt is one whose turn has come: of an
-- ordered topic it is tried at once. What waits behind it follows, or waits for
-- the dead letters of the key.
DELETE FROM factline.blocked_key WHERE reason = 'RETRY';
INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id,
    aggregate_version, event_id, dead_letter_id, reason, blocked_at)
SELECT DISTINCT ON (consumer, topic, tenant_id, block_key) consumer, topic, tenant_id, block_key, partition, aggregate_type, aggregate_id,
    aggregate_version, event_id, dead_letter_id, error_class, failed_at
FROM factline.dead_letter
WHERE blocks AND state = 'OPEN'
ORDER BY consumer, topic, tenant_id, block_key, aggregate_version, dead_letter_id
ON CONFLICT (consumer, topic, tenant_id, record_key) DO NOTHING;
UPDATE factline.held_event SET reason = 'GAP' WHERE reason = 'RETRY';
UPDATE factline.held_event h
SET reason = 'GAP'
WHERE h.reason = 'BLOCKED' AND NOT EXISTS (
    SELECT FROM factline.blocked_key b
    WHERE b.consumer = h.consumer AND b.topic = h.topic AND b.tenant_id = h.tenant_id AND b.record_key = h.block_key
);
ALTER TABLE factline.dead_letter
    DROP COLUMN redrives,
    DROP COLUMN redrive_id,
    DROP CONSTRAINT dead_letter_state_check,
    ADD CONSTRAINT dead_letter_state_check CHECK (state IN ('OPEN', 'SKIPPED'));
DROP INDEX factline.held_event_due, factline.held_event_key;
ALTER TABLE factline.held_event
    DROP COLUMN dead_letter_id,
    DROP COLUMN redrive_id,
    DROP COLUMN gate_event_id,
    DROP COLUMN due_at,
    DROP COLUMN attempts,
    DROP COLUMN retry_tier,
    DROP CONSTRAINT held_event_reason_check,
    ADD CONSTRAINT held_event_reason_check CHECK (reason IN ('GAP', 'BLOCKED', 'CONFLICT'));
