-- Where an event id is known on the consuming side, when its outbox row is not.
SELECT consumer, topic, partition, "offset", '' AS aggregate_id, 'inbox: ' || state AS place FROM factline.inbox WHERE event_id = @id
UNION ALL
SELECT consumer, topic, partition, "offset", aggregate_id, 'held: ' || reason FROM factline.held_event WHERE event_id = @id
UNION ALL
SELECT consumer, topic, partition, "offset", aggregate_id, 'dead letter ' || dead_letter_id FROM factline.dead_letter WHERE event_id = @id OR dead_letter_id = @id
LIMIT 20
