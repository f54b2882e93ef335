CREATE TABLE projected_table (LIKE projection.order_summary_projection INCLUDING ALL) WITH (fillfactor = 70)
