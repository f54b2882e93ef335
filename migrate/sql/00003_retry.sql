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
DROP INDEX factline.dead_letter_key;
UPDATE factline.dead_letter SET state = 'OPEN' WHERE state = 'REDRIVEN';
UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE state = 'APPLIED';
ALTER TABLE factline.dead_letter
    DROP COLUMN redrives,
    DROP COLUMN redrive_id,
    DROP CONSTRAINT dead_letter_state_check,
    ADD CONSTRAINT dead_letter_state_check CHECK (state IN ('OPEN', 'SKIPPED'));
DELETE FROM factline.held_event WHERE reason = 'RETRY';
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
