-- Events as so many appends leave them, without the appends: the numbers from $1
-- up to $2, spread over the orders from $3 on in turns, each order in one lane.
-- $7 has the places of event id, order, version and two hashes. Their age goes from $8 to $9.
WITH sequences AS MATERIALIZED (
    SELECT factline.outbox_begin() AS lanes,
        array_agg(('factline.outbox_position_' || lane)::regclass ORDER BY lane) AS all_of
    FROM factline.outbox_lane
)
INSERT INTO factline.outbox_event (lane, position, created_at, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
    aggregate_version, topic, record_key, headers, value, stamped)
SELECT lane, nextval(sequence), clock_timestamp() - $8::interval - ($9::interval - $8::interval) * ((n - $1) / ($2 - $1)::float8), event_id, $5, $4, 'Order', order_id, version, $6,
    order_id::bytea, overlay($10::bytea PLACING event_id::bytea FROM $11::int), format($7, event_id, order_id, version, hash, left(md5(hash) || hash, 52))::bytea, true
FROM (
    SELECT n, (n % 10000 % lanes)::smallint AS lane, all_of[n % 10000 % lanes + 1] AS sequence,
        lpad(upper(to_hex($3::bigint << 32 | n)), 26, '0') AS event_id,
        to_char(n % 10000 + $3::int, '"ord_"FM9000000') AS order_id, n / 10000 + 1 AS version,
        encode(sha256(int8send(n)), 'hex') AS hash
    FROM sequences, generate_series($1::bigint, $2::bigint - 1) AS n
) AS numbered
