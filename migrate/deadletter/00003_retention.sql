-- +goose Up
-- For the collector, which deletes what was settled long ago.
CREATE INDEX letter_settled ON deadletter.letter (state_at) WHERE state IN ('APPLIED', 'SKIPPED');

-- +goose Down
DROP INDEX deadletter.letter_settled;
