SELECT set_config('factline.tenant', @tenant_id, true)
