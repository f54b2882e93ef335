-- +goose Up
-- "consumer" is the group id everywhere, so that renaming a handler re-applies nothing.

-- The next offset of a partition, stored with the effects. Its row lock keeps
-- two members that both believe they own the partition apart.
CREATE TABLE factline.consumer_offset (
    consumer    text    NOT NULL,
    topic       text    NOT NULL,
    partition   int     NOT NULL,
    next_offset bigint  NOT NULL,
    -- True where the log's start was already cut when the group first read the
    -- partition: the first version seen of an aggregate is then its baseline.
    cut_start   boolean NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- One row an event and consumer: what became of it.
CREATE TABLE factline.inbox (
    consumer     text        NOT NULL,
    event_id     text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('DONE', 'REJECTED', 'RETRYING', 'DEAD')),
    attempts     int         NOT NULL DEFAULT 1,
    topic        text        NOT NULL,
    partition    int         NOT NULL,
    "offset"     bigint      NOT NULL,
    processed_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, consumer)
);

-- The last version applied of every aggregate. Decides duplicates for ever,
-- also after the inbox row is gone.
CREATE TABLE factline.gate (
    consumer       text    NOT NULL,
    topic          text    NOT NULL,
    tenant_id      text    NOT NULL,
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL,
    version        bigint  NOT NULL,
    event_id       text    NOT NULL,
    is_baseline    boolean NOT NULL DEFAULT false,
    -- What differs most comes first: the rows of a chunk share all the rest.
    PRIMARY KEY (aggregate_id, tenant_id, aggregate_type, consumer, topic)
) WITH (fillfactor = 70);

-- A key whose events wait until an operator decides. The event it names is the
-- first that was given up; earlier versions of its aggregate still pass.
-- An event without a record key has its aggregate id here.
CREATE TABLE factline.blocked_key (
    consumer          text        NOT NULL,
    topic             text        NOT NULL,
    tenant_id         text        NOT NULL,
    record_key        bytea       NOT NULL,
    partition         int         NOT NULL,
    aggregate_type    text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    event_id          text        NOT NULL,
    dead_letter_id    text        NOT NULL,
    reason            text        NOT NULL,
    blocked_at        timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, tenant_id, record_key)
);

-- Events that wait: for a missing version (GAP), behind a blocked key
-- (BLOCKED), or because another event has their version (CONFLICT).
CREATE TABLE factline.held_event (
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
    -- What blocks it: its record key, or its aggregate id where it has none.
    block_key         bytea       NOT NULL,
    record_key        bytea,
    headers           bytea,
    value             bytea       NOT NULL,
    record_time       timestamptz NOT NULL,
    reason            text        NOT NULL CHECK (reason IN ('GAP', 'BLOCKED', 'CONFLICT')),
    held_at           timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, partition, "offset")
);
CREATE INDEX held_event_aggregate ON factline.held_event (consumer, topic, tenant_id, aggregate_type, aggregate_id, aggregate_version);

-- What this database's consumers gave up on; the same content goes to the
-- dead-letter topic in the same transaction.
CREATE TABLE factline.dead_letter (
    dead_letter_id    text        PRIMARY KEY,
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
    attempts          int         NOT NULL,
    -- True where later events of the key wait for it, which is where the
    -- consumer is ordered and the bytes could be read.
    blocks            boolean     NOT NULL,
    block_key         bytea       NOT NULL,
    record_key        bytea,
    headers           bytea,
    value             bytea,
    failed_at         timestamptz NOT NULL,
    state             text        NOT NULL CHECK (state IN ('OPEN', 'SKIPPED')),
    closed_at         timestamptz,
    UNIQUE (consumer, topic, partition, "offset")
);
CREATE INDEX dead_letter_open ON factline.dead_letter (consumer, failed_at) WHERE state = 'OPEN';

-- Who did what to the flow of events, and why.
CREATE TABLE factline.operator_action (
    action_id  text        PRIMARY KEY,
    action     text        NOT NULL,
    target     text        NOT NULL,
    operator   text        NOT NULL,
    reason     text        NOT NULL,
    detail     jsonb       NOT NULL DEFAULT '{}',
    acted_at   timestamptz NOT NULL
);

-- +goose Down
DROP TABLE factline.operator_action, factline.dead_letter, factline.held_event, factline.blocked_key, factline.gate, factline.inbox, factline.consumer_offset;
