SELECT e.body AS entitlement,
    (SELECT b.body FROM quote.mirror_price_book b
     WHERE b.tenant_id = @tenant_id AND b.price_book_code = e.body->>'priceBookCode'
     ORDER BY b.version DESC LIMIT 1) AS book,
    (SELECT p.body FROM quote.mirror_policy p
     WHERE p.tenant_id = @tenant_id ORDER BY p.discount_policy_version DESC LIMIT 1) AS policy,
    nextval('quote.quote_number') AS quote_number
FROM quote.mirror_entitlement e
WHERE e.tenant_id = @tenant_id AND e.customer_id = @customer_id
