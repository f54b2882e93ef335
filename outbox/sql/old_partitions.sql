SELECT c.relname::text
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'factline.outbox_event'::regclass
  AND c.relname ~ '^outbox_event_[0-9]{8}$'
  AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= ((clock_timestamp() - @retention::interval) AT TIME ZONE 'UTC')::date
ORDER BY c.relname
