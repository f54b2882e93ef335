-- +goose Up
-- Whoever waits for these locks holds up all that comes after.
SET LOCAL lock_timeout = '5s';
-- An attempt together with others began and is not known to have ended: the next
-- one is made alone, because one of them may have taken the process down.
ALTER TABLE factline.held_event ADD COLUMN suspect boolean NOT NULL DEFAULT false;
-- Before there are statistics, what waits of one key was looked for among all that
-- waits in the topic, which costs the square of a large failure. An index that
-- begins with what differs cannot be mistaken for one that begins with the topic.
DROP INDEX factline.held_event_aggregate, factline.held_event_key, factline.dead_letter_key;
CREATE INDEX held_event_aggregate ON factline.held_event (aggregate_id, tenant_id, aggregate_type, consumer, topic, aggregate_version);
CREATE INDEX held_event_key ON factline.held_event (block_key, tenant_id, consumer, topic);
CREATE INDEX dead_letter_key ON factline.dead_letter (block_key, tenant_id, consumer, topic) WHERE blocks AND state = 'OPEN';

-- +goose Down
SET LOCAL lock_timeout = '5s';
DROP INDEX factline.held_event_aggregate, factline.held_event_key, factline.dead_letter_key;
CREATE INDEX held_event_aggregate ON factline.held_event (consumer, topic, tenant_id, aggregate_type, aggregate_id, aggregate_version);
CREATE INDEX held_event_key ON factline.held_event (consumer, topic, tenant_id, block_key);
CREATE INDEX dead_letter_key ON factline.dead_letter (consumer, topic, tenant_id, block_key) WHERE blocks AND state = 'OPEN';
ALTER TABLE factline.held_event DROP COLUMN suspect;
