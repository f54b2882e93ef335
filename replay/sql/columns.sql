SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, k.place IS NOT NULL AS is_key
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
LEFT JOIN LATERAL (
    SELECT u.place FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, place) WHERE u.attnum = a.attnum
) k ON true
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY k.place NULLS LAST, a.attname
