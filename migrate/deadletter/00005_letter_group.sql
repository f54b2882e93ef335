-- +goose Up
-- Before there are statistics, a letter was looked for among all of its group and
-- topic instead of by its coordinates, which costs the square of a large failure.
-- An index that does not begin with them cannot be taken for that.
DROP INDEX deadletter.letter_group;
CREATE INDEX letter_group ON deadletter.letter (fingerprint, consumer, topic);

-- +goose Down
DROP INDEX deadletter.letter_group;
CREATE INDEX letter_group ON deadletter.letter (consumer, topic, fingerprint);
