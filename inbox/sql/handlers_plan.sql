-- What follows in this transaction is the handlers': as their session has it.
SELECT set_config('enable_seqscan', NULL, true), set_config('plan_cache_mode', NULL, true)
