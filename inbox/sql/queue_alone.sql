-- A row lock that others share gives no turn to whoever waits for the row: those
-- who come later share it too, for as long as there is work. So one queues before
-- it, and later ones queue behind. The row's lock is what counts.
SELECT pg_advisory_xact_lock(hashtextextended(format('factline partition %s %s/%s', $1::text, $2::text, p.partition), 0))
FROM unnest($3::int[]) AS p (partition)
ORDER BY p.partition
