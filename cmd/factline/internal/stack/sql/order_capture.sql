SELECT quote_id AS root, capture_id AS id, state, concat_ws(' ', nullif(reason_code, ''), nullif(detail, ''), nullif(order_id, '')) AS note,
    0::bigint AS version, created_at AS at
FROM orders.order_capture
WHERE quote_id = @id OR capture_id = @id
ORDER BY quote_revision DESC
LIMIT 1
