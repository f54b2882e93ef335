-- +goose Up
-- SUPERSEDED: what came later made it needless. CORRECTED: a corrected event had
-- its effect in its place.
ALTER TABLE factline.dead_letter
    DROP CONSTRAINT dead_letter_state_check,
    ADD CONSTRAINT dead_letter_state_check CHECK (state IN ('OPEN', 'SKIPPED', 'REDRIVEN', 'APPLIED', 'SUPERSEDED', 'CORRECTED')),
    -- The record's own time, which a redrive shows its handler. Null where the
    -- library before this version gave it up.
    ADD COLUMN record_time timestamptz;

-- What an operator put in the place of an event that was given up. The dead letter
-- holds the corrected event from then on, and this row the one before it.
CREATE TABLE factline.correction (
    correction_id    text        PRIMARY KEY,
    dead_letter_id   text        NOT NULL,
    event_id         text        NOT NULL,
    replaced_id      text        NOT NULL,
    replaced_headers bytea,
    replaced_value   bytea       NOT NULL,
    operator         text        NOT NULL,
    reason           text        NOT NULL,
    corrected_at     timestamptz NOT NULL
);
CREATE INDEX correction_letter ON factline.correction (dead_letter_id, corrected_at);

-- +goose Down
DROP TABLE factline.correction;
UPDATE factline.dead_letter SET state = 'APPLIED' WHERE state IN ('SUPERSEDED', 'CORRECTED');
ALTER TABLE factline.dead_letter
    DROP COLUMN record_time,
    DROP CONSTRAINT dead_letter_state_check,
    ADD CONSTRAINT dead_letter_state_check CHECK (state IN ('OPEN', 'SKIPPED', 'REDRIVEN', 'APPLIED'));
