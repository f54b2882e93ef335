-- How many events wait for a decision: few, however much waits behind them.
SELECT lane, count(*)
FROM factline.outbox_parked
WHERE lane = ANY(@lanes::smallint[]) AND is_culprit AND skipped_at IS NULL AND shelf IS NULL
GROUP BY lane
