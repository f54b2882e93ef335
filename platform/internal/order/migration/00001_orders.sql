-- +goose Up
CREATE TABLE orders.sales_order (
    order_id                  text PRIMARY KEY,
    tenant_id                 text NOT NULL,
    quote_id                  text NOT NULL,
    quote_revision            int NOT NULL,
    version                   bigint NOT NULL,
    customer_id               text NOT NULL,
    currency                  char(3) NOT NULL,
    sales_channel             text NOT NULL,
    state                     text NOT NULL,
    one_time_total            numeric(24,6) NOT NULL,
    recurring_total           numeric(24,6) NOT NULL,
    list_one_time_total       numeric(24,6) NOT NULL,
    list_recurring_total      numeric(24,6) NOT NULL,
    discount_percent          numeric(7,4) NOT NULL,
    commercial_snapshot_hash  text NOT NULL,
    accepted_evidence_ref     text NOT NULL,
    requested_completion_date text NOT NULL DEFAULT '',
    captured_at               timestamptz NOT NULL,
    validated_at              timestamptz,
    activated_at              timestamptz,
    submitted_at              timestamptz,
    completed_at              timestamptz,
    cancelled_at              timestamptz,
    due_at                    timestamptz,
    reason_code               text NOT NULL DEFAULT '',
    compensate                boolean NOT NULL DEFAULT false,
    outcome                   text NOT NULL DEFAULT '',
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    UNIQUE (tenant_id, quote_id)
) WITH (fillfactor = 70);
CREATE INDEX sales_order_list ON orders.sales_order (tenant_id, order_id);

CREATE TABLE orders.order_line (
    order_id                  text NOT NULL REFERENCES orders.sales_order,
    order_line_id             text NOT NULL,
    line_no                   int NOT NULL,
    tenant_id                 text NOT NULL,
    quote_line_id             text NOT NULL,
    offer_id                  text NOT NULL,
    offer_name                text NOT NULL,
    product_code              text NOT NULL,
    action                    text NOT NULL,
    quantity                  bigint NOT NULL,
    characteristics           jsonb NOT NULL,
    site                      jsonb,
    required                  boolean NOT NULL,
    state                     text NOT NULL,
    attempt                   int NOT NULL,
    group_no                  int NOT NULL DEFAULT 0,
    wave_no                   int NOT NULL DEFAULT 0,
    fulfillment_request_id    text NOT NULL DEFAULT '',
    external_reference        text NOT NULL DEFAULT '',
    fulfilled_characteristics jsonb,
    ponr                      boolean NOT NULL DEFAULT false,
    one_time_total            numeric(24,6) NOT NULL,
    recurring_total           numeric(24,6) NOT NULL,
    error_code                text NOT NULL DEFAULT '',
    error_message             text NOT NULL DEFAULT '',
    approval_reference        text NOT NULL DEFAULT '',
    started_at                timestamptz,
    requested_at              timestamptz,
    due_at                    timestamptz,
    ended_at                  timestamptz,
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    PRIMARY KEY (order_id, order_line_id)
) WITH (fillfactor = 70);

CREATE TABLE orders.order_line_dependency (
    order_id           text NOT NULL,
    order_line_id      text NOT NULL,
    depends_on_line_id text NOT NULL,
    tenant_id          text NOT NULL,
    PRIMARY KEY (order_id, order_line_id, depends_on_line_id),
    FOREIGN KEY (order_id, order_line_id) REFERENCES orders.order_line
);

CREATE TABLE orders.order_transition (
    order_id        text NOT NULL REFERENCES orders.sales_order,
    version         bigint NOT NULL,
    tenant_id       text NOT NULL,
    order_line_id   text NOT NULL DEFAULT '',
    from_state      text NOT NULL,
    to_state        text NOT NULL,
    event_type      text NOT NULL,
    actor_id        text NOT NULL,
    at              timestamptz NOT NULL,
    source_event_id text NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, version)
);

CREATE TABLE orders.order_capture (
    capture_id      text PRIMARY KEY,
    tenant_id       text NOT NULL,
    quote_id        text NOT NULL,
    quote_revision  int NOT NULL,
    source_event_id text NOT NULL,
    state           text NOT NULL CHECK (state IN ('CAPTURED', 'REJECTED')),
    order_id        text NOT NULL DEFAULT '',
    reason_code     text NOT NULL DEFAULT '',
    detail          text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    UNIQUE (tenant_id, quote_id, quote_revision)
);

CREATE TABLE orders.mirror_quote (
    tenant_id     text NOT NULL,
    quote_id      text NOT NULL,
    revision      int NOT NULL,
    last_version  bigint NOT NULL,
    approval_mode text NOT NULL DEFAULT '',
    snapshot_hash text NOT NULL DEFAULT '',
    state         text NOT NULL,
    PRIMARY KEY (tenant_id, quote_id)
) WITH (fillfactor = 70);

CREATE TABLE orders.mirror_entitlement (
    tenant_id     text NOT NULL,
    customer_id   text NOT NULL,
    credit_status text NOT NULL,
    version       bigint NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);

CREATE TABLE orders.timer (
    timer_id      text PRIMARY KEY,
    tenant_id     text NOT NULL,
    kind          text NOT NULL,
    aggregate_id  text NOT NULL,
    due_at        timestamptz NOT NULL,
    state         text NOT NULL CHECK (state IN ('PENDING', 'DONE')),
    claimed_until timestamptz NOT NULL,
    attempts      int NOT NULL DEFAULT 0,
    body          jsonb NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX timer_due ON orders.timer (due_at) WHERE state = 'PENDING';
CREATE INDEX timer_aggregate ON orders.timer (aggregate_id, due_at) WHERE state = 'PENDING';

CREATE TABLE orders.idempotency (
    tenant_id  text NOT NULL,
    principal  text NOT NULL,
    route      text NOT NULL,
    key        text NOT NULL,
    body_hash  text NOT NULL,
    state      text NOT NULL CHECK (state IN ('RUNNING', 'DONE')),
    status     int NOT NULL,
    response   bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, principal, route, key)
);
CREATE INDEX idempotency_expiry ON orders.idempotency (expires_at);

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sales_order', 'order_line', 'order_line_dependency', 'order_transition', 'order_capture',
        'mirror_quote', 'mirror_entitlement', 'timer', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE orders.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE orders.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON orders.%I USING (tenant_id = current_setting(''factline.tenant'', true) OR current_setting(''factline.tenant'', true) = ''platform'')', name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA orders CASCADE;
