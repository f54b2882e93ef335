-- The oldest transaction that still writes anywhere in the cluster: nothing
-- can prove a hole dead before it ends.
SELECT coalesce(a.pid, 0)::int AS pid, coalesce(a.datname::text, p.database::text, '') AS database,
    coalesce(a.application_name, '') AS application,
    coalesce(p.gid, '') AS prepared,
    coalesce(extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start)), 0)::float8 AS age_seconds
FROM (
    SELECT pid, NULL::text AS gid, backend_xid::text::bigint AS xid FROM pg_stat_activity WHERE backend_xid IS NOT NULL
    UNION ALL
    SELECT NULL, gid, transaction::text::bigint FROM pg_prepared_xacts
) AS x
LEFT JOIN pg_stat_activity a ON a.pid = x.pid
LEFT JOIN pg_prepared_xacts p ON p.gid = x.gid
ORDER BY age_seconds DESC
LIMIT 1
