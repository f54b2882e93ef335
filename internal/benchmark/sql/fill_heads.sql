-- The heads of the orders of so many events as fill.sql puts in.
INSERT INTO factline.outbox_stream (tenant_id, aggregate_type, aggregate_id, version)
SELECT $3, 'Order', to_char(n % 10000 + $2::int, '"ord_"FM9000000'), ($1::bigint - 1 - n) / 10000 + 1
FROM generate_series(0, least($1::bigint, 10000) - 1) AS n
