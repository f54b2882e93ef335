SELECT quote_id AS root, order_id AS id, state, concat_ws(' ', nullif(reason_code, ''), nullif(outcome, '')) AS note, version, updated_at AS at
FROM orders.sales_order
WHERE quote_id = @id OR order_id = @id
LIMIT 1
