package inbox_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/factlinetest"
	"factline.dev/inbox"
)

// Before, a plan that was made while the tables were small read all that waits for
// each event: 5,000 retries took five times as long each as 1,000.
func TestTheCostOfAClaimDoesNotGrowWithWhatWaits(t *testing.T) {
	t.Parallel()
	three := `'{4,7,10}'`
	keys, tenants := `'{k4,k7,k10}'`, `'{acme,acme,acme}'`
	for _, tt := range []struct{ statement, values string }{
		{"find_due", `'c', 't', 1, now(), 3`},
		{"load_due", `'c', 't', 1, ` + three + `, now()`},
		{"suspect", `'c', 't', 1, ` + three},
		{"let_go", `'c', 't', '{1,1,1}', ` + three},
		{"unblock", `'c', 't', ` + tenants + `, ` + keys + `, '{evt_4,evt_7,evt_10}'`},
		{"block_by_next", `'c', 't', ` + tenants + `, ` + keys + `, now()`},
		{"wait_for_gap", `'c', 't', ` + tenants + `, ` + keys},
		{"wait_for_block", `'c', 't', ` + tenants + `, ` + keys},
		{"load_held", `'c', 't', ` + tenants + `, '{Order,Order,Order}', ` + keys + `, 200`},
		{"due_partitions", `'c', 't', '{0,1,2}', now()`},
		{"letter_places", `'c', '{dlt_4,dlt_7,dlt_10}'`},
		{"take_redrives", `'{dlt_4,dlt_7,dlt_10}', 'c', '{r,r,r}', now()`},
	} {
		t.Run(tt.statement, func(t *testing.T) {
			t.Parallel()
			conn, err := factlinetest.Postgres(t, migrated).Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			prepare(t, conn.Conn(), inbox.Statements()[tt.statement+".sql"])
			blocks(t, conn.Conn(), tt.values) // the plan is made here and kept
			waits(t, conn.Conn(), 1, 300)
			few := blocks(t, conn.Conn(), tt.values)
			waits(t, conn.Conn(), 301, 6000)
			if many := blocks(t, conn.Conn(), tt.values); many > few+few/2+20 {
				t.Errorf("it touches %d blocks where 6,000 events wait and %d where 300 do", many, few)
			}
		})
	}
}

func prepare(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	for _, setup := range []string{`SET enable_seqscan = off`, `SET plan_cache_mode = force_generic_plan`, `PREPARE claim AS ` + sql} {
		if _, err := conn.Exec(t.Context(), setup, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
}

// blocks is how many blocks the prepared statement touches. What it does is undone.
func blocks(t *testing.T, conn *pgx.Conn, values string) int {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	var text []byte
	err = tx.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim (`+values+`)`, pgx.QueryExecModeSimpleProtocol).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}

// waits has events wait for their next attempt, each with a block and a dead letter
// of a key of its own.
func waits(t *testing.T, conn *pgx.Conn, first, last int) {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id, aggregate_version,
			event_id, event_type, block_key, record_key, value, record_time, reason, held_at, due_at)
		SELECT 'c', 't', n % 3, n, 'acme', 'Order', 'k' || n, 1, 'evt_' || n, 'X', convert_to('k' || n, 'UTF8'), convert_to('k' || n, 'UTF8'),
			'{}', now(), 'RETRY', now(), now() - interval '1 hour' + n * interval '1 ms'
		FROM generate_series($1::int, $2::int) n`,
		`INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id, aggregate_version,
			event_id, dead_letter_id, reason, blocked_at)
		SELECT 'c', 't', 'acme', convert_to('k' || n, 'UTF8'), n % 3, 'Order', 'k' || n, 1, 'evt_' || n, '', 'RETRY', now()
		FROM generate_series($1::int, $2::int) n`,
		`INSERT INTO factline.dead_letter (dead_letter_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
			aggregate_version, event_id, event_type, error_class, error_message, attempts, blocks, block_key, value, failed_at, state)
		SELECT 'dlt_' || n, 'c', 't', n % 3, 10000 + n, 'acme', 'Order', 'k' || n, 1, 'evt_d' || n, 'X', 'HANDLER_FAILED', '', 1, true,
			convert_to('k' || n, 'UTF8'), '{}', now(), 'OPEN'
		FROM generate_series($1::int, $2::int) n`,
	} {
		if _, err := conn.Exec(t.Context(), sql, first, last); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedrivesTakenTogetherAreEachTakenOnce(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer conn.Release()
		waits(t, conn.Conn(), 1, 6)
	}()
	for _, sql := range []string{
		`DELETE FROM factline.held_event`,
		`INSERT INTO factline.consumer_offset (consumer, topic, partition, next_offset, cut_start, updated_at) SELECT 'c', 't', p, 0, false, now() FROM generate_series(0, 2) p`,
		`UPDATE factline.dead_letter SET redrives = '{r_old}' WHERE dead_letter_id = 'dlt_4'`,
		`UPDATE factline.dead_letter SET state = 'SKIPPED' WHERE dead_letter_id = 'dlt_5'`,
		`UPDATE factline.dead_letter SET value = NULL WHERE dead_letter_id = 'dlt_6'`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	asked := []inbox.Redrive{
		{ID: "r_1", DeadLetterID: "dlt_1"},
		{ID: "r_1", DeadLetterID: "dlt_2"},
		{ID: "r_1", DeadLetterID: "dlt_1"},
		{ID: "r_2", DeadLetterID: "dlt_1"},
		{ID: "r_old", DeadLetterID: "dlt_4"},
		{ID: "r_new", DeadLetterID: "dlt_4"},
		{ID: "r_1", DeadLetterID: "dlt_5"},
		{ID: "r_1", DeadLetterID: "dlt_6"},
		{ID: "r_1", DeadLetterID: "unknown"},
	}
	taken, err := inbox.TakeRedrives(t.Context(), pool, "c", time.Now(), asked...)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(taken, func(a, b inbox.Redrive) int { return strings.Compare(a.DeadLetterID, b.DeadLetterID) })
	want := []inbox.Redrive{{ID: "r_1", DeadLetterID: "dlt_1"}, {ID: "r_1", DeadLetterID: "dlt_2"}, {ID: "r_new", DeadLetterID: "dlt_4"}}
	if !slices.Equal(taken, want) {
		t.Errorf("taken = %v, want %v", taken, want)
	}
	if again, err := inbox.TakeRedrives(t.Context(), pool, "c", time.Now(), asked...); err != nil || len(again) != 0 {
		t.Errorf("taken again = %v, %v; want nothing", again, err)
	}
	var held int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM factline.held_event WHERE reason = 'RETRY' AND due_at = '-infinity'`).Scan(&held); err != nil || held != 3 {
		t.Errorf("%d events are due, %v; want the three", held, err)
	}
	if other, err := inbox.TakeRedrives(t.Context(), pool, "another", time.Now(), inbox.Redrive{ID: "r_9", DeadLetterID: "dlt_3"}); err != nil || len(other) != 0 {
		t.Errorf("another group took %v, %v", other, err)
	}
}
