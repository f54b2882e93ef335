WITH gone AS (
    DELETE FROM factline.outbox_relay WHERE owner = @owner::text
)
UPDATE factline.outbox_lane
SET owner = '', leased_until = '-infinity'
WHERE owner = @owner::text
