SELECT format('%I.%I', 'projection', table_name) FROM projection.live_table WHERE name = 'order-summary'
