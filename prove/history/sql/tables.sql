-- Whole tables only: a partition is hashed with its parent. What changes by
-- itself (leases, offsets, receipts, tables of versions) is no state.
SELECT n.nspname::text, c.relname::text,
    array_agg(quote_ident(a.attname) ORDER BY a.attname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_version'
  AND (n.nspname = ANY ($1::text[]) OR (n.nspname = 'factline' AND c.relname = ANY ($2::text[])))
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
