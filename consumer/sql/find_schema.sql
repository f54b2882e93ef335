-- Of each table the column that came last, where one came later than the table.
SELECT count(*)
FROM (VALUES
    ('consumer_offset', 'member'), ('inbox', 'attempts'), ('gate', 'version'), ('blocked_key', 'reason'), ('held_event', 'suspect'),
    ('dead_letter', 'record_time'), ('consumer_gap', 'topic'), ('outbox_event', 'event_id')
) AS needed (of_table, of_column)
WHERE NOT EXISTS (
    SELECT
    FROM pg_attribute
    WHERE attrelid = to_regclass('factline.' || of_table) AND attname = of_column AND NOT attisdropped
)
