SELECT
    COALESCE((SELECT b.price_book_id FROM quote.mirror_price_book b
              WHERE b.tenant_id = @tenant_id AND b.price_book_code = @price_book_code
              ORDER BY b.version DESC LIMIT 1), '') AS current_book_id,
    COALESCE((SELECT e.body->>'creditStatus' = 'HOLD' FROM quote.mirror_entitlement e
              WHERE e.tenant_id = @tenant_id AND e.customer_id = @customer_id), false) AS credit_hold,
    COALESCE((SELECT min(CASE WHEN c.body->>'state' = 'EXPIRED' THEN '-infinity' ELSE (c.body->>'validUntil')::timestamptz END)
              FROM quote.mirror_configuration c
              WHERE c.tenant_id = @tenant_id AND c.configuration_id = ANY(@configuration_ids)), '-infinity')::timestamptz > @now AS configurations_valid
