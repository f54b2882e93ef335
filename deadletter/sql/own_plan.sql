-- The tables grow by thousands in a minute, long before their statistics do. What
-- is asked here has an index to go by, and a plan that was made while they were
-- empty would read them whole for each letter.
SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true)
