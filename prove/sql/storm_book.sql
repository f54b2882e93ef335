WITH entry AS (
    INSERT INTO storm.entry (account_id, version, event_id) VALUES ($1, $2, $3)
)
INSERT INTO storm.balance AS b (account_id, amount, entries) VALUES ($1, $4, 1)
ON CONFLICT (account_id) DO UPDATE SET amount = b.amount + excluded.amount, entries = b.entries + 1
