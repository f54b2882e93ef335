SELECT quote_id AS root, order_id AS id, state, concat_ws(' ', outcome, lines_completed || ' of ' || lines_total || ' lines completed') AS note,
    last_version AS version, updated_at AS at
FROM {table}
WHERE quote_id = @id OR order_id = @id
LIMIT 1
