-- The settings last until the end of this transaction, which is that of the
-- read behind it. Its spans look selective to the planner, so once the table
-- has statistics it would fetch and sort all that is left of a lane to return
-- a page of it: every page would cost the whole backlog.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
FROM (SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true)) AS plan
