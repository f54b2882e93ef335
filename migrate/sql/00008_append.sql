-- +goose Up
-- What an append needs of the lanes is a constant of its plan, not a row to read
-- and a name to look up: PostgreSQL puts bodies like these into the statement and
-- plans it anew when one of them is replaced. Null while no lanes are set.
-- +goose StatementBegin
CREATE FUNCTION factline.outbox_name_sequences() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION factline.outbox_sequences() RETURNS regclass[] LANGUAGE sql STABLE AS %L',
        format('SELECT %L::regclass[]', (
            SELECT array_agg('factline.outbox_position_' || lane ORDER BY lane)::text
            FROM factline.outbox_setting, generate_series(0, lanes - 1) AS lane)));
END $$;
-- +goose StatementEnd
SELECT factline.outbox_name_sequences();

CREATE FUNCTION factline.outbox_lane_of(hash bigint) RETURNS smallint LANGUAGE sql STABLE
    AS 'SELECT (hash % cardinality(factline.outbox_sequences()))::smallint';

-- The next position of a lane. Before it is taken the transaction has its id (a
-- relay's proof that a hole is dead rests on that order) and its commit will be
-- durable before anyone can see it.
CREATE FUNCTION factline.outbox_next_position(lane smallint) RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT nextval(CASE WHEN pg_current_xact_id() IS NOT NULL
        AND (current_setting('synchronous_commit') <> 'off' OR set_config('synchronous_commit', 'on', true) = 'on')
        THEN (factline.outbox_sequences())[lane + 1] END) $$;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION factline.outbox_set_lanes(wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    present int;
BEGIN
    IF (SELECT lanes FROM factline.outbox_setting) = wanted THEN
        RETURN;
    END IF;
    -- Waits for appends under way and keeps others out until they see the new lanes.
    LOCK TABLE factline.outbox_event IN SHARE ROW EXCLUSIVE MODE;
    SELECT lanes INTO present FROM factline.outbox_setting;
    IF present = wanted THEN
        RETURN;
    END IF;
    IF present IS NOT NULL AND EXISTS (SELECT FROM factline.outbox_event) THEN
        RAISE EXCEPTION 'the outbox has % lanes and still holds events; drain it and drop its partitions before a change to %', present, wanted
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF present IS NOT NULL AND EXISTS (SELECT FROM factline.outbox_parked WHERE skipped_at IS NULL) THEN
        RAISE EXCEPTION 'the outbox has % lanes and holds parked events, or some that are set aside; publish or skip them before a change to %', present, wanted
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    FOR n IN 0 .. GREATEST(COALESCE(present, 0), wanted) - 1 LOOP
        IF n < wanted THEN
            EXECUTE format('CREATE SEQUENCE IF NOT EXISTS factline.outbox_position_%s AS bigint CACHE 1', n);
            INSERT INTO factline.outbox_lane (lane) VALUES (n) ON CONFLICT DO NOTHING;
        ELSE
            EXECUTE format('DROP SEQUENCE factline.outbox_position_%s', n);
            DELETE FROM factline.outbox_lane WHERE lane = n;
        END IF;
    END LOOP;
    -- A lane that comes back begins at 1: what is known of its former positions
    -- would pass for what is known of the new ones.
    DELETE FROM factline.outbox_receipt WHERE lane >= LEAST(present, wanted);
    DELETE FROM factline.outbox_parked WHERE lane >= LEAST(present, wanted);
    INSERT INTO factline.outbox_setting (lanes) VALUES (wanted)
        ON CONFLICT (only_row) DO UPDATE SET lanes = excluded.lanes;
    PERFORM factline.outbox_name_sequences();
END $$;
-- +goose StatementEnd

-- PostgreSQL reads a constraint's text with every statement, a twentieth of what
-- the server spends on an append. Versions only grow, from a baseline the library checks.
-- Appends queue behind the lock: where it is not to be had, Up fails and is run again.
SET LOCAL lock_timeout = '2s';
ALTER TABLE factline.outbox_stream DROP CONSTRAINT outbox_stream_version_check;

-- +goose Down
ALTER TABLE factline.outbox_stream ADD CONSTRAINT outbox_stream_version_check CHECK (version >= 0);
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION factline.outbox_set_lanes(wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    present int;
BEGIN
    LOCK TABLE factline.outbox_setting IN ACCESS EXCLUSIVE MODE;
    SELECT lanes INTO present FROM factline.outbox_setting;
    IF present = wanted THEN
        RETURN;
    END IF;
    IF present IS NOT NULL AND EXISTS (SELECT FROM factline.outbox_event) THEN
        RAISE EXCEPTION 'the outbox has % lanes and still holds events; drain it and drop its partitions before a change to %', present, wanted
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    FOR n IN 0 .. GREATEST(COALESCE(present, 0), wanted) - 1 LOOP
        IF n < wanted THEN
            EXECUTE format('CREATE SEQUENCE IF NOT EXISTS factline.outbox_position_%s AS bigint CACHE 1', n);
            INSERT INTO factline.outbox_lane (lane) VALUES (n) ON CONFLICT DO NOTHING;
        ELSE
            EXECUTE format('DROP SEQUENCE factline.outbox_position_%s', n);
            DELETE FROM factline.outbox_lane WHERE lane = n;
        END IF;
    END LOOP;
    INSERT INTO factline.outbox_setting (lanes) VALUES (wanted)
        ON CONFLICT (only_row) DO UPDATE SET lanes = excluded.lanes;
END $$;
-- +goose StatementEnd
DROP FUNCTION factline.outbox_next_position, factline.outbox_lane_of, factline.outbox_sequences, factline.outbox_name_sequences;
