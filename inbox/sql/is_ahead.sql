SELECT EXISTS (
    SELECT
    FROM factline.inbox i
    JOIN factline.consumer_offset o ON o.consumer = i.consumer AND o.topic = i.topic AND o.partition = i.partition
    WHERE i.consumer = $1 AND i.topic = $2 AND i."offset" >= o.next_offset AND i.state IN ('DONE', 'REJECTED')
)
