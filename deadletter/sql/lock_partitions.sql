-- As the group's own transactions lock them, in one order.
SELECT partition
FROM factline.consumer_offset
WHERE consumer = @consumer AND topic = @topic AND partition = ANY (@partitions::int[])
ORDER BY partition
FOR UPDATE
