-- Which keys are held back, and whether no culprit stands before all their rows
-- any more: then they are to be sent.
SELECT lane, topic, coalesce(record_key, '') AS record_key,
    min(position) < coalesce(min(position) FILTER (WHERE is_culprit), 9223372036854775807) AS released,
    count(*) FILTER (WHERE is_culprit) AS culprits
FROM factline.outbox_parked
WHERE lane = ANY(@lanes::smallint[]) AND skipped_at IS NULL AND shelf IS NULL
GROUP BY 1, 2, 3
