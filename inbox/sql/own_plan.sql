-- Every statement below looks rows up by an index, whatever the statistics say.
-- Left alone, the planner plans each anew for its few rows, which takes longer
-- than to run it, and reads a table whole that was tiny when its plan was made.
-- What the session had is kept for handlers_plan.
SELECT set_config('factline.enable_seqscan', current_setting('enable_seqscan'), true),
    set_config('factline.plan_cache_mode', current_setting('plan_cache_mode'), true),
    set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)
