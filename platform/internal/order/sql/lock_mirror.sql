SELECT revision, approval_mode, snapshot_hash, state FROM orders.mirror_quote
WHERE tenant_id = @tenant_id AND quote_id = @quote_id
FOR UPDATE
