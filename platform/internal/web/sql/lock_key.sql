SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)), set_config('factline.tenant', $2, true)
