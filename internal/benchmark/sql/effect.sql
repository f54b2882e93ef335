INSERT INTO bench.effect (order_id, version) VALUES ($1, $2)
