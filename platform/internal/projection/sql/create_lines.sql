CREATE TABLE projected_table (LIKE projection.order_line_projection INCLUDING ALL) WITH (fillfactor = 70)
