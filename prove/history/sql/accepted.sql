SELECT tenant_id, quote_id, state, coalesce(order_id, '')
FROM quote.quote
WHERE accepted_at IS NOT NULL
ORDER BY quote_id
