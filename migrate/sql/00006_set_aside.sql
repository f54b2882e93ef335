-- +goose Up
-- Events that the broker does not accept now because of their topic or partition
-- wait beside the parked ones, on a shelf; a parked row has none. All rows of a
-- key are of one kind. A relay of the version before takes them for parked rows
-- that an operator let go: it sends them, in order.
ALTER TABLE factline.outbox_parked ADD COLUMN shelf text;
CREATE INDEX outbox_parked_shelf ON factline.outbox_parked (lane, topic, shelf, position) WHERE shelf IS NOT NULL;
CREATE INDEX outbox_parked_fence ON factline.outbox_parked (lane) WHERE shelf IS NULL AND skipped_at IS NULL;

-- +goose Down
DROP INDEX factline.outbox_parked_fence, factline.outbox_parked_shelf;
ALTER TABLE factline.outbox_parked DROP COLUMN shelf;
