package migrate_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

// Before, what waited for its next attempt was deleted, and what waited behind it
// waited for ever.
func TestWithoutTheRetryChainWhatWaitsForItGoesOn(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		// a: retried with one behind it. b: retried before an open letter. c: a letter that is redriven.
		`INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id, aggregate_version,
			event_id, event_type, block_key, value, record_time, reason, held_at, dead_letter_id)
		SELECT 's.c', 't', 0, row_number() OVER (), 'acme', 'Order', k, v, 'evt_' || k || v, 'X', convert_to(k, 'UTF8'), '{}', now(), reason, now(), letter
		FROM (VALUES ('a', 1, 'RETRY', ''), ('a', 2, 'BLOCKED', ''), ('b', 1, 'RETRY', ''), ('b', 3, 'BLOCKED', ''),
			('c', 1, 'RETRY', 'dlt_c'), ('c', 2, 'BLOCKED', '')) AS e (k, v, reason, letter)`,
		`INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id, aggregate_version,
			event_id, dead_letter_id, reason, blocked_at)
		SELECT 's.c', 't', 'acme', convert_to(k, 'UTF8'), 0, 'Order', k, 1, 'evt_' || k || 1, '', 'RETRY', now() FROM unnest(ARRAY['a', 'b', 'c']) k`,
		`INSERT INTO factline.dead_letter (dead_letter_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
			aggregate_version, event_id, event_type, error_class, error_message, attempts, blocks, block_key, value, failed_at, state)
		SELECT 'dlt_' || k, 's.c', 't', 0, o, 'acme', 'Order', k, v, 'evt_' || k || v, 'X', 'HANDLER_FAILED', '', 1, true, convert_to(k, 'UTF8'), '{}', now(), state
		FROM (VALUES ('b', 2, 100, 'OPEN'), ('c', 1, 5, 'REDRIVEN')) AS d (k, v, o, state)`,
		`INSERT INTO factline.inbox (consumer, event_id, state, topic, partition, "offset", processed_at) VALUES ('s.c', 'evt_c1', 'RETRYING', 't', 0, 5, now())`,
		down(t, "00003_retry"),
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		what, sql string
		want      []string
	}{
		{"held", `SELECT aggregate_id || aggregate_version || ' ' || reason FROM factline.held_event ORDER BY 1`, []string{"a1 GAP", "a2 GAP", "b1 GAP", "b3 BLOCKED", "c2 BLOCKED"}},
		{"blocked", `SELECT dead_letter_id FROM factline.blocked_key ORDER BY 1`, []string{"dlt_b", "dlt_c"}},
		{"open", `SELECT dead_letter_id FROM factline.dead_letter WHERE state = 'OPEN' ORDER BY 1`, []string{"dlt_b", "dlt_c"}},
		{"given up", `SELECT event_id FROM factline.inbox WHERE state = 'DEAD'`, []string{"evt_c1"}},
	} {
		if got := column(t, pool, tt.sql); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
}

func column(t *testing.T, pool *pgxpool.Pool, sql string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
