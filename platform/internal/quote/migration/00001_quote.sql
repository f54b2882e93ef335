-- +goose Up
CREATE SEQUENCE quote.quote_number;

CREATE TABLE quote.quote (
    quote_id                 text PRIMARY KEY,
    tenant_id                text NOT NULL,
    quote_number             text NOT NULL UNIQUE,
    revision                 int NOT NULL,
    version                  bigint NOT NULL,
    customer_id              text NOT NULL,
    currency                 char(3) NOT NULL,
    price_book_code          text NOT NULL,
    sales_channel            text NOT NULL,
    state                    text NOT NULL,
    valid_from               timestamptz,
    valid_until              timestamptz NOT NULL,
    catalog_version_id       text,
    price_book_id            text,
    price_book_version       int,
    discount_policy_version  int,
    pricing_run_id           text,
    priced_at                timestamptz,
    one_time_total           numeric(24,6) NOT NULL DEFAULT 0,
    recurring_total          numeric(24,6) NOT NULL DEFAULT 0,
    list_one_time_total      numeric(24,6) NOT NULL DEFAULT 0,
    list_recurring_total     numeric(24,6) NOT NULL DEFAULT 0,
    discount_percent         numeric(7,4) NOT NULL DEFAULT 0,
    approval_signals         jsonb,
    approval_mode            text,
    approval_request_id      text,
    approval_case_id         text,
    approved_by              text,
    approved_at              timestamptz,
    submitted_by             text,
    submitted_at             timestamptz,
    accepted_by              text,
    accepted_at              timestamptz,
    accepted_evidence_ref    text,
    requested_completion     text,
    commercial_snapshot_hash text,
    order_id                 text,
    reason_code              text,
    created_at               timestamptz NOT NULL,
    updated_at               timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX quote_list ON quote.quote (tenant_id, quote_id);

CREATE TABLE quote.quote_line (
    quote_id                text NOT NULL REFERENCES quote.quote,
    revision                int NOT NULL,
    quote_line_id           text NOT NULL,
    line_no                 int NOT NULL,
    tenant_id               text NOT NULL,
    configuration_id        text NOT NULL,
    configuration_hash      text NOT NULL,
    item_id                 text NOT NULL,
    offer_id                text NOT NULL,
    offer_name              text NOT NULL,
    product_code            text NOT NULL,
    action                  text NOT NULL,
    quantity                bigint NOT NULL,
    characteristics         jsonb NOT NULL,
    depends_on              text[] NOT NULL,
    required                boolean NOT NULL,
    manual_discount_percent numeric(7,4) NOT NULL,
    one_time_total          numeric(24,6) NOT NULL DEFAULT 0,
    recurring_total         numeric(24,6) NOT NULL DEFAULT 0,
    discount_percent        numeric(7,4) NOT NULL DEFAULT 0,
    site                    jsonb,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    PRIMARY KEY (quote_id, revision, quote_line_id)
);

CREATE TABLE quote.quote_transition (
    quote_id   text NOT NULL REFERENCES quote.quote,
    version    bigint NOT NULL,
    tenant_id  text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    event_type text NOT NULL,
    actor_id   text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (quote_id, version)
);

CREATE TABLE quote.quote_acceptance (
    quote_id           text NOT NULL REFERENCES quote.quote,
    revision           int NOT NULL,
    tenant_id          text NOT NULL,
    accepted_by        text NOT NULL,
    accepted_at        timestamptz NOT NULL,
    evidence_ref       text NOT NULL,
    evidence_method    text NOT NULL,
    evidence_reference text NOT NULL,
    snapshot_hash      text NOT NULL,
    idempotency_key    text NOT NULL,
    PRIMARY KEY (quote_id, revision)
);

CREATE TABLE quote.mirror_configuration (
    tenant_id        text NOT NULL,
    configuration_id text NOT NULL,
    version          bigint NOT NULL,
    body             jsonb NOT NULL,
    PRIMARY KEY (tenant_id, configuration_id)
);

CREATE TABLE quote.mirror_price_book (
    tenant_id       text NOT NULL,
    price_book_id   text NOT NULL,
    price_book_code text NOT NULL,
    version         bigint NOT NULL,
    body            jsonb NOT NULL,
    PRIMARY KEY (tenant_id, price_book_id)
);
CREATE INDEX mirror_price_book_current ON quote.mirror_price_book (tenant_id, price_book_code, version DESC);

CREATE TABLE quote.mirror_entitlement (
    tenant_id   text NOT NULL,
    customer_id text NOT NULL,
    version     bigint NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);

-- Pricing stands in this service until pricing-service exists; then this goes.
CREATE TABLE quote.mirror_policy (
    tenant_id               text NOT NULL,
    discount_policy_version int NOT NULL,
    body                    jsonb NOT NULL,
    PRIMARY KEY (tenant_id, discount_policy_version)
);

CREATE TABLE quote.idempotency (
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
CREATE INDEX idempotency_expiry ON quote.idempotency (expires_at);

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['quote', 'quote_line', 'quote_transition', 'quote_acceptance', 'mirror_configuration',
        'mirror_price_book', 'mirror_entitlement', 'mirror_policy', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE quote.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE quote.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON quote.%I USING (tenant_id = current_setting(''factline.tenant'', true) OR current_setting(''factline.tenant'', true) = ''platform'')', name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA quote CASCADE;
