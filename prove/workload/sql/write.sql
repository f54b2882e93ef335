WITH operation AS (
    INSERT INTO storm.operation (operation_id) VALUES ($1)
)
INSERT INTO storm.balance AS b (account_id, amount, entries)
SELECT account_id, amount, 1 FROM unnest($2::text[], $3::bigint[]) AS part(account_id, amount) ORDER BY account_id
ON CONFLICT (account_id) DO UPDATE SET amount = b.amount + excluded.amount, entries = b.entries + 1
