DELETE FROM factline.effect_call
WHERE call_id IN (
    SELECT call_id
    FROM factline.effect_call
    WHERE name = @name AND state IN ('DONE', 'SKIPPED') AND finished_at < statement_timestamp() - @retention::interval
    ORDER BY finished_at
    LIMIT @most
    FOR UPDATE SKIP LOCKED
)
