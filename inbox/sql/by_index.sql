-- A plan that was cached while a table was tiny reads it whole for each row of a
-- chunk once it has grown.
SET LOCAL enable_seqscan = off
