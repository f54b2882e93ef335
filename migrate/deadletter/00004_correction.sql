-- +goose Up
-- A letter may be superseded by what came later, or corrected: CORRECTION is the
-- operator's act, CORRECTED its outcome.
ALTER TABLE deadletter.letter
    DROP CONSTRAINT letter_state_check,
    ADD CONSTRAINT letter_state_check CHECK (state IN ('OPEN', 'REDRIVEN', 'APPLIED', 'SKIPPED', 'SUPERSEDED', 'CORRECTED'));
ALTER TABLE deadletter.history
    DROP CONSTRAINT history_kind_check,
    ADD CONSTRAINT history_kind_check CHECK (kind IN ('FAILED', 'REDRIVEN', 'APPLIED', 'FAILED_AGAIN', 'SKIPPED', 'ABANDONED', 'SUPERSEDED', 'CORRECTION', 'CORRECTED'));
ALTER TABLE deadletter.redrive_item
    DROP CONSTRAINT redrive_item_state_check,
    ADD CONSTRAINT redrive_item_state_check
        CHECK (state IN ('REFUSED', 'PENDING', 'SENT', 'APPLIED', 'FAILED', 'SKIPPED', 'NOT_SENT', 'ABANDONED', 'SUPERSEDED'));
DROP INDEX deadletter.letter_settled;
CREATE INDEX letter_settled ON deadletter.letter (state_at) WHERE state IN ('APPLIED', 'SKIPPED', 'SUPERSEDED', 'CORRECTED');

-- +goose Down
UPDATE deadletter.letter SET state = 'APPLIED' WHERE state IN ('SUPERSEDED', 'CORRECTED');
UPDATE deadletter.redrive_item SET state = 'APPLIED' WHERE state = 'SUPERSEDED';
UPDATE deadletter.history SET kind = 'APPLIED' WHERE kind IN ('SUPERSEDED', 'CORRECTED');
DELETE FROM deadletter.history WHERE kind = 'CORRECTION';
DROP INDEX deadletter.letter_settled;
CREATE INDEX letter_settled ON deadletter.letter (state_at) WHERE state IN ('APPLIED', 'SKIPPED');
ALTER TABLE deadletter.redrive_item
    DROP CONSTRAINT redrive_item_state_check,
    ADD CONSTRAINT redrive_item_state_check
        CHECK (state IN ('REFUSED', 'PENDING', 'SENT', 'APPLIED', 'FAILED', 'SKIPPED', 'NOT_SENT', 'ABANDONED'));
ALTER TABLE deadletter.history
    DROP CONSTRAINT history_kind_check,
    ADD CONSTRAINT history_kind_check CHECK (kind IN ('FAILED', 'REDRIVEN', 'APPLIED', 'FAILED_AGAIN', 'SKIPPED', 'ABANDONED'));
ALTER TABLE deadletter.letter
    DROP CONSTRAINT letter_state_check,
    ADD CONSTRAINT letter_state_check CHECK (state IN ('OPEN', 'REDRIVEN', 'APPLIED', 'SKIPPED'));
