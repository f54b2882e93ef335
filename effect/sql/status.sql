SELECT state, count(*), extract(epoch FROM clock_timestamp() - min(stored_at))::float8
FROM factline.effect_call
WHERE name = @name AND state NOT IN ('DONE', 'SKIPPED')
GROUP BY state
