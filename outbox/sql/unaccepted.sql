SELECT topic, count(*) AS events
FROM (SELECT topic FROM factline.outbox_parked WHERE shelf IS NOT NULL LIMIT @count_limit::int) AS page
GROUP BY topic
