-- +goose Up
-- Every dead letter of every group, as its newest record says it. The truth of
-- whether it is open stands in the group's own database; state follows it.
CREATE TABLE deadletter.letter (
    letter_id         text        PRIMARY KEY,
    consumer          text        NOT NULL,
    topic             text        NOT NULL,
    partition         int         NOT NULL,
    "offset"          bigint      NOT NULL,
    tenant_id         text        NOT NULL,
    aggregate_type    text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    event_id          text        NOT NULL,
    event_type        text        NOT NULL,
    error_class       text        NOT NULL,
    error_message     text        NOT NULL,
    -- What the letters of one cause have in common.
    fingerprint       text        NOT NULL,
    attempts          int         NOT NULL,
    -- How many records told of it: one more after each redrive that failed.
    failures          int         NOT NULL,
    blocks_key        boolean     NOT NULL,
    -- The record key, or the aggregate id where it has none: what is kept in order.
    order_key         bytea       NOT NULL,
    record_key        bytea,
    headers           bytea,
    value             bytea,
    -- Parts of the original record that the dead-letter record had no room for.
    omitted           text[]      NOT NULL,
    first_failed_at   timestamptz NOT NULL,
    failed_at         timestamptz NOT NULL,
    state             text        NOT NULL CHECK (state IN ('OPEN', 'REDRIVEN', 'APPLIED', 'SKIPPED')),
    state_at          timestamptz NOT NULL,
    UNIQUE (topic, partition, "offset", consumer)
) WITH (fillfactor = 80);
CREATE INDEX letter_newest ON deadletter.letter (failed_at, letter_id);
CREATE INDEX letter_group ON deadletter.letter (consumer, topic, fingerprint);
CREATE INDEX letter_open ON deadletter.letter (failed_at) WHERE state = 'OPEN';

-- What happened to a letter: each failure, redrive, outcome and skip.
CREATE TABLE deadletter.history (
    history_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id  text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('FAILED', 'REDRIVEN', 'APPLIED', 'FAILED_AGAIN', 'SKIPPED')),
    redrive_id text        NOT NULL DEFAULT '',
    operator   text        NOT NULL DEFAULT '',
    reason     text        NOT NULL DEFAULT '',
    detail     jsonb       NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL
);
CREATE INDEX history_letter ON deadletter.history (letter_id, history_id);

-- How far each dead-letter topic is collected, in the transaction that collects.
CREATE TABLE deadletter.position (
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- A plan, and what became of it.
CREATE TABLE deadletter.redrive (
    redrive_id   text        PRIMARY KEY,
    state        text        NOT NULL CHECK (state IN ('PLANNED', 'RUNNING', 'PAUSED', 'STOPPED', 'DONE')),
    operator     text        NOT NULL,
    reason       text        NOT NULL,
    -- Of what was previewed, in order: apply refuses when it is another now.
    content_hash text        NOT NULL,
    plan         jsonb       NOT NULL,
    settings     jsonb       NOT NULL DEFAULT '{}',
    receipt      jsonb       NOT NULL DEFAULT '{}',
    planned_at   timestamptz NOT NULL,
    started_at   timestamptz,
    ended_at     timestamptz,
    -- One run at a time, by the database's clock.
    lease_owner  text        NOT NULL DEFAULT '',
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- Every letter of a plan and its outcome.
CREATE TABLE deadletter.redrive_item (
    redrive_id      text        NOT NULL,
    -- The order of the plan: of one key, the lowest version first.
    seq             int         NOT NULL,
    letter_id       text        NOT NULL,
    -- The id in the group's own database.
    group_letter_id text        NOT NULL,
    retry_topic     text        NOT NULL,
    -- Items with one lane go one after another.
    lane            text        NOT NULL,
    failures        int         NOT NULL,
    record_bytes    int         NOT NULL,
    state           text        NOT NULL CHECK (state IN ('REFUSED', 'PENDING', 'SENT', 'APPLIED', 'FAILED', 'SKIPPED', 'NOT_SENT')),
    code            text        NOT NULL,
    detail          text        NOT NULL,
    sent_at         timestamptz,
    settled_at      timestamptz,
    PRIMARY KEY (redrive_id, seq)
) WITH (fillfactor = 80);
CREATE INDEX redrive_item_letter ON deadletter.redrive_item (letter_id);

-- +goose Down
DROP TABLE deadletter.redrive_item, deadletter.redrive, deadletter.position, deadletter.history, deadletter.letter;
