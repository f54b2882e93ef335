SELECT count(*)
FROM unnest(ARRAY['consumer_offset', 'inbox', 'gate', 'blocked_key', 'held_event', 'dead_letter', 'consumer_gap', 'outbox_event']) AS needed (name)
WHERE to_regclass('factline.' || needed.name) IS NULL
