-- The rows of some buckets, each column by its digest: what differs can be named
-- without showing what it holds.
SELECT key, digests
FROM (
    SELECT ROW({key})::text AS key, ARRAY[{digests}] AS digests
    FROM {table}
) hashed
WHERE left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 3) = ANY ($1::text[])
ORDER BY key COLLATE "C"
