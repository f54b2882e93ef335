SELECT set_config('factline.tenant', $1, true)
