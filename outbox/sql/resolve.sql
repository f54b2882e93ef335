-- A retry takes the culprit's mark away, a skip notes the time. Nothing changes
-- for a row that waits for no decision.
UPDATE factline.outbox_parked
SET is_culprit = is_culprit AND @skip::boolean,
    skipped_at = CASE WHEN @skip::boolean THEN clock_timestamp() END,
    -- A relay of the version before leaves a culprit where it was set aside.
    shelf = CASE WHEN NOT @skip::boolean THEN shelf END
WHERE parked_id = @parked_id::text AND is_culprit AND skipped_at IS NULL
RETURNING lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, reason,
    (SELECT count(*) FROM factline.outbox_parked b
        WHERE b.lane = outbox_parked.lane AND b.topic = outbox_parked.topic AND b.skipped_at IS NULL
            AND coalesce(b.record_key, '') = coalesce(outbox_parked.record_key, '') AND b.position > outbox_parked.position) AS held_events
