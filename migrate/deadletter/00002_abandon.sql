-- +goose Up
-- A redrive may be given up: what it did not send, or sent in vain, is open again.
ALTER TABLE deadletter.history
    DROP CONSTRAINT history_kind_check,
    ADD CONSTRAINT history_kind_check CHECK (kind IN ('FAILED', 'REDRIVEN', 'APPLIED', 'FAILED_AGAIN', 'SKIPPED', 'ABANDONED'));
ALTER TABLE deadletter.redrive
    DROP CONSTRAINT redrive_state_check,
    ADD CONSTRAINT redrive_state_check CHECK (state IN ('PLANNED', 'RUNNING', 'PAUSED', 'STOPPED', 'DONE', 'ABANDONED'));
ALTER TABLE deadletter.redrive_item
    DROP CONSTRAINT redrive_item_state_check,
    ADD CONSTRAINT redrive_item_state_check
        CHECK (state IN ('REFUSED', 'PENDING', 'SENT', 'APPLIED', 'FAILED', 'SKIPPED', 'NOT_SENT', 'ABANDONED'));

-- +goose Down
UPDATE deadletter.redrive SET state = 'STOPPED' WHERE state = 'ABANDONED';
UPDATE deadletter.redrive_item SET state = 'NOT_SENT' WHERE state = 'ABANDONED';
DELETE FROM deadletter.history WHERE kind = 'ABANDONED';
ALTER TABLE deadletter.redrive_item
    DROP CONSTRAINT redrive_item_state_check,
    ADD CONSTRAINT redrive_item_state_check
        CHECK (state IN ('REFUSED', 'PENDING', 'SENT', 'APPLIED', 'FAILED', 'SKIPPED', 'NOT_SENT'));
ALTER TABLE deadletter.redrive
    DROP CONSTRAINT redrive_state_check,
    ADD CONSTRAINT redrive_state_check CHECK (state IN ('PLANNED', 'RUNNING', 'PAUSED', 'STOPPED', 'DONE'));
ALTER TABLE deadletter.history
    DROP CONSTRAINT history_kind_check,
    ADD CONSTRAINT history_kind_check CHECK (kind IN ('FAILED', 'REDRIVEN', 'APPLIED', 'FAILED_AGAIN', 'SKIPPED'));
