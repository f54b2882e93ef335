SELECT s.tenant_id, s.order_id, s.state, s.last_version,
    (SELECT count(*) FROM projection.order_line_projection l WHERE l.tenant_id = s.tenant_id AND l.order_id = s.order_id)
FROM projection.order_summary_projection s
ORDER BY s.order_id
