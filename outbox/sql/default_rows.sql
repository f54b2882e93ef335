SELECT count(*) FROM (SELECT FROM factline.outbox_event_default LIMIT @count_limit::int) AS page
