-- +goose Up
-- The relays that live: they share the lanes. A row ends by the database's
-- clock, with the leases of the relay that stands in it.
CREATE TABLE factline.outbox_relay (
    owner       text        PRIMARY KEY,
    alive_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- +goose Down
DROP TABLE factline.outbox_relay;
