CREATE POLICY tenant ON projected_table
USING (tenant_id = current_setting('factline.tenant', true) OR current_setting('factline.tenant', true) = 'platform')
