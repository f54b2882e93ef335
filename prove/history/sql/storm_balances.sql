SELECT account_id, amount, entries FROM storm.balance ORDER BY account_id
