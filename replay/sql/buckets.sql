-- One digest a bucket of keys, so that no text outgrows PostgreSQL's 1 GB and a
-- difference is looked for in its bucket alone. {table}, {key} and {columns} are
-- quoted identifiers; every column is in {columns}, the key's first.
SELECT bucket, count(*) AS rows, encode(sha256(convert_to(string_agg(digest, '' ORDER BY key COLLATE "C"), 'UTF8')), 'hex') AS digest
FROM (
    SELECT key, digest, left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 3) AS bucket
    FROM (
        SELECT ROW({key})::text AS key, encode(sha256(convert_to(ROW({columns})::text, 'UTF8')), 'hex') AS digest
        FROM {table}
    ) hashed
) bucketed
GROUP BY bucket
ORDER BY bucket
