-- A statement of its own, behind store_partitions: what that one waited for and
-- did not store is visible only to a later snapshot.
SELECT topic, partitions FROM factline.outbox_topic
