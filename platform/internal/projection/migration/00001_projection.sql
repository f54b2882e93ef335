-- +goose Up
-- Which table a projection is written to and read from now. Whoever uses it
-- keeps the lock of reading this table until the end of the transaction, so a
-- switch that locks it exclusively comes between transactions.
CREATE TABLE projection.live_table (
    name       text PRIMARY KEY,
    table_name text NOT NULL
);
INSERT INTO projection.live_table (name, table_name) VALUES
    ('order-summary', 'order_summary_projection'),
    ('order-line', 'order_line_projection');

-- Every value comes from an event, so that a rebuild equals this in every column.
CREATE TABLE projection.order_summary_projection (
    tenant_id                text NOT NULL,
    order_id                 text NOT NULL,
    quote_id                 text NOT NULL,
    customer_id              text NOT NULL,
    sales_channel            text NOT NULL,
    currency                 text NOT NULL,
    one_time_total           numeric(24,6) NOT NULL,
    recurring_total          numeric(24,6) NOT NULL,
    state                    text NOT NULL,
    lines_total              int NOT NULL,
    lines_open               int NOT NULL,
    lines_completed          int NOT NULL,
    lines_failed             int NOT NULL,
    lines_waived             int NOT NULL,
    lines_cancelled          int NOT NULL,
    has_fallout              boolean NOT NULL,
    jeopardy_lines           int NOT NULL,
    open_incidents           int NOT NULL,
    outcome                  text,
    captured_at              timestamptz NOT NULL,
    validated_at             timestamptz,
    activated_at             timestamptz,
    submitted_at             timestamptz,
    completed_at             timestamptz,
    cancelled_at             timestamptz,
    due_at                   timestamptz,
    reason_code              text,
    commercial_snapshot_hash text NOT NULL,
    last_version             bigint NOT NULL,
    source_event_id          text NOT NULL,
    updated_at               timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
) WITH (fillfactor = 70);

CREATE TABLE projection.order_line_projection (
    tenant_id          text NOT NULL,
    order_id           text NOT NULL,
    order_line_id      text NOT NULL,
    offer_id           text NOT NULL,
    product_code       text,
    action             text NOT NULL,
    required           boolean,
    state              text NOT NULL,
    attempt            int NOT NULL,
    group_no           int,
    wave_no            int,
    depends_on         text[],
    external_reference text,
    milestone          text,
    error_code         text,
    error_message      text,
    started_at         timestamptz,
    requested_at       timestamptz,
    due_at             timestamptz,
    ended_at           timestamptz,
    last_version       bigint NOT NULL,
    source_event_id    text NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id, order_line_id)
) WITH (fillfactor = 70);

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['order_summary_projection', 'order_line_projection'] LOOP
        EXECUTE format('ALTER TABLE projection.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE projection.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON projection.%I USING (tenant_id = current_setting(''factline.tenant'', true) OR current_setting(''factline.tenant'', true) = ''platform'')', name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA projection CASCADE;
