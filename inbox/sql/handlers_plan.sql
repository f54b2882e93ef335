-- What follows in this transaction is the handlers': as their session has it.
SELECT set_config('enable_seqscan', current_setting('factline.enable_seqscan'), true),
    set_config('plan_cache_mode', current_setting('factline.plan_cache_mode'), true)
