-- +goose Up
-- One row a call to another system, stored with the effect it belongs to.
CREATE TABLE factline.effect_call (
    -- Also the order in which calls of one order key are made. CACHE 1 (the
    -- default) and the key's row in effect_order make it commit order.
    call_id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text        NOT NULL,
    key             text        NOT NULL,
    order_key       text,
    tenant_id       text        NOT NULL,
    event_id        text        NOT NULL,
    cause           jsonb       NOT NULL,
    request         bytea       NOT NULL,
    state           text        NOT NULL CHECK (state IN ('HELD', 'PENDING', 'ANSWERED', 'DONE', 'DEAD', 'SKIPPED')),
    attempts        int         NOT NULL DEFAULT 0,
    result_attempts int         NOT NULL DEFAULT 0,
    -- When the call may be claimed: in the future while it waits for its next
    -- attempt, and while a worker has it.
    due_at          timestamptz NOT NULL,
    -- Grows with every claim; who records with an older one has lost the call.
    epoch           bigint      NOT NULL DEFAULT 0,
    owner           text        NOT NULL DEFAULT '',
    response        bytea,
    error           text        NOT NULL DEFAULT '',
    stored_at       timestamptz NOT NULL,
    answered_at     timestamptz,
    finished_at     timestamptz,
    UNIQUE (name, key)
) WITH (fillfactor = 70);
CREATE INDEX effect_call_due ON factline.effect_call (name, due_at, call_id) WHERE state IN ('PENDING', 'ANSWERED');
CREATE INDEX effect_call_open ON factline.effect_call (name, state, stored_at) WHERE state NOT IN ('DONE', 'SKIPPED');
CREATE INDEX effect_call_order ON factline.effect_call (name, order_key, call_id)
    WHERE order_key IS NOT NULL AND state NOT IN ('DONE', 'SKIPPED');
CREATE INDEX effect_call_finished ON factline.effect_call (name, finished_at) WHERE state IN ('DONE', 'SKIPPED');

-- Makes those who store calls of an order key, and who lets the next one go,
-- take turns. Holds nothing else: a row may be deleted whenever nobody has it.
CREATE TABLE factline.effect_order (
    name      text        NOT NULL,
    order_key text        NOT NULL,
    used_at   timestamptz NOT NULL,
    PRIMARY KEY (name, order_key)
) WITH (fillfactor = 70);

-- +goose Down
DROP TABLE factline.effect_order, factline.effect_call;
