-- Tables of the subjects that factline is compared with, and of the effects.
CREATE SCHEMA bench;

-- The outbox of a textbook: a status per row that every step updates.
CREATE TABLE bench.textbook_outbox (
    outbox_id         bigserial   PRIMARY KEY,
    event_id          text        NOT NULL UNIQUE,
    event_type        text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    topic             text        NOT NULL,
    record_key        bytea       NOT NULL,
    headers           bytea       NOT NULL,
    value             bytea       NOT NULL,
    status            text        NOT NULL DEFAULT 'PENDING',
    attempts          int         NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    claimed_at        timestamptz,
    published_at      timestamptz,
    partition         int,
    "offset"          bigint
);
CREATE INDEX textbook_pending ON bench.textbook_outbox (outbox_id) WHERE status = 'PENDING';

-- The usual batch outbox, with the leanest index that serves it.
CREATE TABLE bench.skip_locked_outbox (
    outbox_id         bigserial   PRIMARY KEY,
    event_id          text        NOT NULL,
    event_type        text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    topic             text        NOT NULL,
    record_key        bytea       NOT NULL,
    headers           bytea       NOT NULL,
    value             bytea       NOT NULL,
    status            text        NOT NULL DEFAULT 'PENDING',
    created_at        timestamptz NOT NULL DEFAULT now(),
    published_at      timestamptz
);
CREATE INDEX skip_locked_pending ON bench.skip_locked_outbox (outbox_id) WHERE status = 'PENDING';

-- The effect of every consumer: applied counts effects, so that one too many or
-- too few shows.
CREATE TABLE bench.order_summary (
    tenant_id     text        NOT NULL,
    order_id      text        NOT NULL,
    version       bigint      NOT NULL,
    applied       bigint      NOT NULL,
    one_time      text        NOT NULL,
    recurring     text        NOT NULL,
    last_event_id text        NOT NULL,
    captured_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
) WITH (fillfactor = 70);

CREATE TABLE bench.textbook_inbox (
    event_id      text        NOT NULL,
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    partition     int         NOT NULL,
    "offset"      bigint      NOT NULL,
    status        text        NOT NULL,
    received_at   timestamptz NOT NULL DEFAULT now(),
    processed_at  timestamptz,
    PRIMARY KEY (event_id, consumer)
);

-- The business row that a transaction changes before it appends.
CREATE TABLE bench.business (
    id      int    PRIMARY KEY,
    version bigint NOT NULL,
    note    text   NOT NULL
) WITH (fillfactor = 70);
INSERT INTO bench.business SELECT id, 0, 'as new' FROM generate_series(0, 9999) AS id;

-- A row of an event's size, stored without any promise.
CREATE TABLE bench.plain_event (
    id                bigserial   PRIMARY KEY,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_id          text        NOT NULL,
    event_type        text        NOT NULL,
    tenant_id         text        NOT NULL,
    aggregate_type    text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    topic             text        NOT NULL,
    record_key        bytea,
    headers           bytea,
    value             bytea
);

-- Effects in the order in which they happened.
CREATE TABLE bench.effect (
    seq      bigserial PRIMARY KEY,
    order_id text      NOT NULL,
    version  bigint    NOT NULL
);
