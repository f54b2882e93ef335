INSERT INTO orders.order_line (order_id, order_line_id, line_no, tenant_id, quote_line_id, offer_id, offer_name, product_code, action,
    quantity, characteristics, site, required, state, attempt, group_no, wave_no, one_time_total, recurring_total, created_at, updated_at)
VALUES (@order_id, @order_line_id, @line_no, @tenant_id, @quote_line_id, @offer_id, @offer_name, @product_code, @action,
    @quantity, @characteristics, @site, @required, @state, @attempt, @group_no, @wave_no, @one_time_total, @recurring_total, @now, @now)
