-- {columns} and {table} are quoted identifiers.
SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')
FROM (SELECT ROW({columns})::text AS line FROM {table}) lines
