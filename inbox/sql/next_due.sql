SELECT min(n.due_at)
FROM unnest($3::int[]) AS p (partition)
CROSS JOIN LATERAL (
    SELECT due_at
    FROM factline.held_event
    WHERE consumer = $1 AND topic = $2 AND partition = p.partition AND reason = 'RETRY' AND due_at > $4
    ORDER BY due_at
    LIMIT 1
) n
