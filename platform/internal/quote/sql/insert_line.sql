INSERT INTO quote.quote_line (quote_id, revision, quote_line_id, line_no, tenant_id, configuration_id, configuration_hash, item_id,
    offer_id, offer_name, product_code, action, quantity, characteristics, depends_on, required, manual_discount_percent,
    one_time_total, recurring_total, discount_percent, site, created_at, updated_at)
VALUES (@quote_id, @revision, @quote_line_id, @line_no, @tenant_id, @configuration_id, @configuration_hash, @item_id,
    @offer_id, @offer_name, @product_code, @action, @quantity, @characteristics, @depends_on, @required, @manual_discount_percent,
    @one_time_total, @recurring_total, @discount_percent, @site, @now, @now)
