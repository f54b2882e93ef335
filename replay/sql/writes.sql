-- What this transaction has written so far, by table.
SELECT schemaname::text, relname::text, n_tup_ins + n_tup_upd + n_tup_del
FROM pg_catalog.pg_stat_xact_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
