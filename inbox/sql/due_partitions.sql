-- In which partitions something is to be tried again, and when the next one of
-- each is due: the first of an index, twice.
SELECT p.partition, COALESCE(first.due_at <= $4, false), next.due_at
FROM unnest($3::int[]) AS p (partition)
LEFT JOIN LATERAL (
    SELECT due_at
    FROM factline.held_event
    WHERE consumer = $1 AND topic = $2 AND partition = p.partition AND reason = 'RETRY'
    ORDER BY due_at
    LIMIT 1
) first ON true
LEFT JOIN LATERAL (
    SELECT due_at
    FROM factline.held_event
    WHERE consumer = $1 AND topic = $2 AND partition = p.partition AND reason = 'RETRY' AND due_at > $4
    ORDER BY due_at
    LIMIT 1
) next ON true
