SELECT l.quote_line_id, l.configuration_id, l.configuration_hash, l.item_id, l.offer_id, l.offer_name, l.product_code, l.action,
    l.quantity, l.characteristics, l.depends_on, l.required, l.manual_discount_percent, l.one_time_total, l.recurring_total,
    l.discount_percent, l.site
FROM quote.quote_line l JOIN quote.quote q ON q.quote_id = l.quote_id AND q.revision = l.revision
WHERE l.tenant_id = @tenant_id AND l.quote_id = @quote_id
ORDER BY l.line_no
