UPDATE orders.order_line SET state = @state, attempt = @attempt, group_no = @group_no, wave_no = @wave_no,
    fulfillment_request_id = @fulfillment_request_id, external_reference = @external_reference,
    fulfilled_characteristics = @fulfilled_characteristics, started_at = @started_at, requested_at = @requested_at,
    due_at = @due_at, ended_at = @ended_at, updated_at = @now
WHERE order_id = @order_id AND order_line_id = @order_line_id
