-- Who is first says how many partitions a topic has.
INSERT INTO factline.outbox_topic (topic, partitions)
SELECT * FROM unnest(@topics::text[], @counts::int[]) AS s(topic, partitions)
WHERE NOT EXISTS (SELECT FROM factline.outbox_topic t WHERE t.topic = s.topic)
ON CONFLICT DO NOTHING
