-- The letter holds the corrected event from now on, and what waits for it waits for
-- that one.
WITH kept AS (
    INSERT INTO factline.correction (correction_id, dead_letter_id, event_id, replaced_id, replaced_headers, replaced_value, operator, reason, corrected_at)
    SELECT @correction_id, dead_letter_id, @event_id, event_id, headers, value, @operator, @reason, @now
    FROM factline.dead_letter
    WHERE dead_letter_id = @letter_id
), blocked AS (
    UPDATE factline.blocked_key b
    SET event_id = @event_id
    FROM factline.dead_letter d
    WHERE d.dead_letter_id = @letter_id AND b.consumer = d.consumer AND b.topic = d.topic AND b.tenant_id = d.tenant_id
      AND b.record_key = d.block_key AND b.event_id = d.event_id
)
UPDATE factline.dead_letter
SET event_id = @event_id, headers = @headers, value = @value
WHERE dead_letter_id = @letter_id
