-- As queue_alone, beside others that share.
SELECT pg_advisory_xact_lock_shared(hashtextextended(format('factline partition %s %s/%s', $1::text, $2::text, p.partition), 0))
FROM unnest($3::int[]) AS p (partition)
ORDER BY p.partition
