-- +goose Up
-- An event that failed and is tried again later (RETRY) stays here with every
-- later event of its key; due_at is when, retry_tier which pause comes next.
ALTER TABLE factline.held_event
    DROP CONSTRAINT held_event_reason_check,
    ADD CONSTRAINT held_event_reason_check CHECK (reason IN ('GAP', 'BLOCKED', 'CONFLICT', 'RETRY')),
    ADD COLUMN retry_tier smallint NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN redrive_id text NOT NULL DEFAULT '';
CREATE INDEX held_event_due ON factline.held_event (consumer, topic, due_at) WHERE reason = 'RETRY';

-- +goose Down
DELETE FROM factline.held_event WHERE reason = 'RETRY';
DROP INDEX factline.held_event_due;
ALTER TABLE factline.held_event
    DROP COLUMN redrive_id,
    DROP COLUMN due_at,
    DROP COLUMN retry_tier,
    DROP CONSTRAINT held_event_reason_check,
    ADD CONSTRAINT held_event_reason_check CHECK (reason IN ('GAP', 'BLOCKED', 'CONFLICT'));
