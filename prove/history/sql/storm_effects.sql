SELECT sequence, account_id, version, event_id FROM storm.entry ORDER BY sequence
