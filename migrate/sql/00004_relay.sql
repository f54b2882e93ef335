-- +goose Up
-- The relays that live: they share the lanes. A row ends by the database's
-- clock, with the leases of the relay that stands in it.
CREATE TABLE factline.outbox_relay (
    owner       text        PRIMARY KEY,
    alive_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- How many partitions a topic had when it was first published to. Keys stay in
-- those; a row is deleted when consumers have drained the topic and more may be
-- used.
CREATE TABLE factline.outbox_topic (
    topic      text PRIMARY KEY,
    partitions int  NOT NULL
);

-- What an operator decides about. A key waits while the lowest of its rows is a
-- culprit; a retry takes that mark away, a skip notes the time and keeps the row
-- until a new owner can no longer read its event again.
ALTER TABLE factline.outbox_parked
    ADD COLUMN parked_id text NOT NULL DEFAULT 'prk_' || gen_random_uuid(),
    ADD COLUMN skipped_at timestamptz;
CREATE UNIQUE INDEX outbox_parked_id ON factline.outbox_parked (parked_id);
CREATE INDEX outbox_parked_culprit ON factline.outbox_parked (lane, topic) WHERE is_culprit;

-- +goose Down
DROP INDEX factline.outbox_parked_culprit, factline.outbox_parked_id;
ALTER TABLE factline.outbox_parked DROP COLUMN skipped_at, DROP COLUMN parked_id;
DROP TABLE factline.outbox_topic, factline.outbox_relay;
