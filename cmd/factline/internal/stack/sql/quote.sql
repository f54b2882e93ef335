SELECT quote_id AS root, quote_id AS id, state, coalesce(reason_code, '') AS note, version, updated_at AS at
FROM quote.quote
WHERE quote_id = @id
