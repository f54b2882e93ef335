INSERT INTO orders.order_line_dependency (order_id, order_line_id, depends_on_line_id, tenant_id)
SELECT DISTINCT @order_id, line, dependency, @tenant_id
FROM unnest(@line_ids::text[], @depends_on::text[]) AS pair (line, dependency)
