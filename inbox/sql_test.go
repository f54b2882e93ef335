package inbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
	"factline.dev/inbox"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("inbox", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})

func TestEveryStatementPreparesOnTheMigratedSchema(t *testing.T) {
	t.Parallel()
	conn, err := factlinetest.Postgres(t, migrated).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for name, sql := range inbox.Statements() {
		if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoOwnersOfAPartitionTakeTurns(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	scope := inbox.Scope{Consumer: "s.orders.consumer", Topic: "orders", Partitions: []int32{3}}
	if err := inbox.StartPartition(t.Context(), pool, scope.Consumer, time.Now(), inbox.Progress{Topic: scope.Topic, Partition: 3, NextOffset: 7}); err != nil {
		t.Fatal(err)
	}
	begin := func() pgx.Tx {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // a failed test must not wait for its pool
		return tx
	}
	first, second := begin(), begin()
	loaded, err := inbox.Load(t.Context(), first, scope, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int64, 1)
	go func() {
		loaded, err := inbox.Load(context.WithoutCancel(t.Context()), second, scope, nil, nil)
		if err != nil {
			t.Error(err)
		}
		got <- loaded.Progress[3].NextOffset
	}()
	factlinetest.Eventually(t, 10*time.Second, "the second owner waiting", func() (bool, error) {
		var waiting bool
		err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		return waiting, err
	})
	batch := &pgx.Batch{}
	changes := loaded.Changes(time.Now())
	changes.NextOffsets = map[int32]int64{3: 9}
	changes.Queue(batch)
	if err := first.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := <-got; next != 9 {
		t.Errorf("the second owner read next offset %d, want 9: what the first one committed", next)
	}
	if err := second.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnknownPartitionMustBeStartedFirst(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	scope := inbox.Scope{Consumer: "s.orders.consumer", Topic: "orders", Partitions: []int32{0}}
	if _, err := inbox.Load(t.Context(), pool, scope, nil, nil); !errors.Is(err, inbox.ErrPartitionUnknown) {
		t.Errorf("Load = %v, want ErrPartitionUnknown", err)
	}
	for _, next := range []int64{5, 9} { // the second start changes nothing
		if err := inbox.StartPartition(t.Context(), pool, scope.Consumer, time.Now(), inbox.Progress{Topic: "orders", NextOffset: next, CutStart: true}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := inbox.Offsets(t.Context(), pool, scope.Consumer, []string{"orders"})
	if err != nil || len(all) != 1 || all[0].NextOffset != 5 || !all[0].CutStart {
		t.Errorf("Offsets = %+v, %v, want the first start", all, err)
	}
}

func TestAGateMovesOnlyWhereItLiesAsLoaded(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	for _, c := range []struct {
		name, aggregate, topic string
		version                int64
		latest                 bool
		want                   int64
	}{
		{"a higher version moves it", "a", "orders", 8, false, 1},
		{"the version it has does not", "a", "orders", 7, false, 0},
		{"the version it has does in mode latest", "a", "orders", 7, true, 1},
		{"a lower version does not in mode latest either", "a", "orders", 6, true, 0},
		{"another aggregate's row at the address stays", "b", "orders", 8, false, 0},
		{"another topic's row at the address stays", "a", "quotes", 8, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
			const consumer = "s.orders.consumer"
			var address string
			err = tx.QueryRow(t.Context(), `INSERT INTO factline.gate (consumer, topic, tenant_id, aggregate_type, aggregate_id, version, event_id)
				VALUES ($1, 'orders', 'acme', 'Order', 'a', 7, $2) RETURNING ctid::text`, consumer+c.name, "evt_7").Scan(&address)
			if err != nil {
				t.Fatal(err)
			}
			tag, err := tx.Exec(t.Context(), inbox.Statements()["move_gates.sql"], []string{address}, []int64{c.version}, []string{"evt_new"},
				[]string{"acme"}, []string{"Order"}, []string{c.aggregate}, consumer+c.name, c.topic, c.latest)
			if err != nil || tag.RowsAffected() != c.want {
				t.Errorf("%d rows moved, %v; want %d", tag.RowsAffected(), err, c.want)
			}
		})
	}
}

// Before, one limit held for all partitions together: a partition with many
// overdue events and a handler that hangs kept all others from their retries.
func TestThePartitionWithManyOverdueEventsLeavesRoomForTheOthers(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	now := time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)
	_, err := pool.Exec(t.Context(), `INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type,
		aggregate_id, aggregate_version, event_id, event_type, block_key, value, record_time, reason, held_at, due_at)
		SELECT 's.orders.consumer', 'orders', p, o, 'acme', 'Order', p || '_' || o, 1, 'evt_' || p || '_' || o, 'X', convert_to(p || '_' || o, 'UTF8'),
			'{}', $1, 'RETRY', $1, $1::timestamptz + (p * 100 - o) * interval '1 minute'
		FROM unnest(ARRAY[0, 1, 2]) p, generate_series(1, CASE p WHEN 0 THEN 50 ELSE 3 END) o`, now.Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	partitions, next, err := inbox.DuePartitions(t.Context(), pool, "s.orders.consumer", "orders", []int32{0, 1, 2}, now)
	if err != nil || !slices.Equal(partitions, []int32{0, 1}) {
		t.Errorf("something is due in %v, %v; want partitions 0 and 1", partitions, err)
	}
	for partition, want := range []int{10, 3, 0} {
		due, err := inbox.FindDue(t.Context(), pool, "s.orders.consumer", "orders", int32(partition), now, 10)
		if err != nil || len(due) != want {
			t.Errorf("%d due in partition %d, %v; want %d", len(due), partition, err, want)
		}
		if partition == 0 && due[0].Offset != 50 {
			t.Errorf("offset %d is the first, want 50, which is overdue longest", due[0].Offset)
		}
	}
	if want := now.Add(77 * time.Minute); !next.Equal(want) {
		t.Errorf("next = %s, want %s, partition 2's first", next, want)
	}
}

func TestThePartitionWithManyDueAggregatesLeavesRoomForTheOthers(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	_, err := pool.Exec(t.Context(), `INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type,
		aggregate_id, aggregate_version, event_id, event_type, block_key, value, record_time, reason, held_at)
		SELECT 's.orders.consumer', 'orders', p, o, 'acme', 'Order', p || '_' || o, 1, 'evt_' || p || '_' || o, 'X', convert_to(p || '_' || o, 'UTF8'),
			'{}', now(), 'GAP', now()
		FROM unnest(ARRAY[0, 1]) p, generate_series(1, CASE p WHEN 0 THEN 50 ELSE 3 END) o`)
	if err != nil {
		t.Fatal(err)
	}
	due, err := inbox.Due(t.Context(), pool, "s.orders.consumer", "orders", []int32{0, 1}, 10)
	if err != nil || len(due[0]) != 10 || len(due[1]) != 3 {
		t.Errorf("due = %v, %v; want ten of partition 0 and all three of partition 1", due, err)
	}
}

// Before, every park and unpark of one key read all held events and all open
// dead letters of the topic.
func TestParkingAndUnparkingReadTheirKeyAlone(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	fill(t, pool)
	for _, tt := range []struct {
		name, statement, values string
		indexes                 []string
	}{
		{"what waits for a version, once the key is unblocked", "wait_for_gap", `'c', 't', '{acme}', '{k7}'`, []string{"held_event_key"}},
		{"what waits for a block, once the key is blocked", "wait_for_block", `'c', 't', '{acme}', '{k7}'`, []string{"held_event_key"}},
		{"what takes the block over", "block_by_next", `'c', 't', '{acme}', '{k7}', now()`, []string{"held_event_key", "dead_letter_key"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := explain(t, pool, inbox.Statements()[tt.statement+".sql"], tt.values)
			for _, index := range tt.indexes {
				if !strings.Contains(plan, index) {
					t.Errorf("%s does not use %s:\n%s", tt.statement, index, plan)
				}
			}
		})
	}
}

// fill gives a consumer a topic with many keys that wait and many open letters.
func fill(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO factline.held_event (consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id, aggregate_version,
			event_id, event_type, block_key, value, record_time, reason, held_at)
		SELECT 'c', 't', n % 3, n, 'acme', 'Order', 'k' || n % 2000, n / 2000 + 2, 'evt_' || n, 'X', convert_to('k' || n % 2000, 'UTF8'),
			'{}', now(), (ARRAY['GAP', 'BLOCKED', 'RETRY', 'RETRY'])[1 + n % 4], now()
		FROM generate_series(1, 4000) n`,
		`INSERT INTO factline.blocked_key (consumer, topic, tenant_id, record_key, partition, aggregate_type, aggregate_id, aggregate_version,
			event_id, dead_letter_id, reason, blocked_at)
		SELECT 'c', 't', 'acme', convert_to('k' || n, 'UTF8'), n % 3, 'Order', 'k' || n, 1, 'evt_b' || n, 'dlt_' || n, 'HANDLER_FAILED', now()
		FROM generate_series(1, 2000, 2) n`,
		`INSERT INTO factline.dead_letter (dead_letter_id, consumer, topic, partition, "offset", tenant_id, aggregate_type, aggregate_id,
			aggregate_version, event_id, event_type, error_class, error_message, attempts, blocks, block_key, failed_at, state)
		SELECT 'dlt_' || n, 'c', 't', n % 3, 10000 + n, 'acme', 'Order', 'k' || n, 1, 'evt_b' || n, 'X', 'HANDLER_FAILED', '', 1, true,
			convert_to('k' || n, 'UTF8'), now(), 'OPEN'
		FROM generate_series(1, 2000) n`,
		`ANALYZE factline.held_event, factline.blocked_key, factline.dead_letter`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// explain returns the plan of a statement as the transactions of a consumer have
// it.
func explain(t *testing.T, pool *pgxpool.Pool, sql, values string) string {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, setup := range []string{`SET enable_seqscan = off`, `SET plan_cache_mode = force_generic_plan`, `DEALLOCATE ALL`, `PREPARE plan AS ` + sql} {
		if _, err := conn.Exec(t.Context(), setup, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.Query(t.Context(), `EXPLAIN (COSTS OFF) EXECUTE plan (`+values+`)`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestTheTransactionsOfAMarkedMemberShareItsPartitions(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	at := inbox.Progress{Topic: "orders", Partition: 3, NextOffset: 7}
	if err := inbox.StartPartition(t.Context(), pool, "s.orders.consumer", time.Now(), at); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.TakePartitions(t.Context(), pool, "s.orders.consumer", "one", []inbox.Progress{at}); err != nil {
		t.Fatal(err)
	}
	load := func(member string) (end func(), loaded chan error) {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		loaded = make(chan error, 1)
		go func() {
			l, err := inbox.Load(t.Context(), tx, inbox.Scope{Consumer: "s.orders.consumer", Topic: "orders", Partitions: []int32{3}, Member: member}, nil, nil)
			if err == nil && l.Progress[3].NextOffset != 7 {
				err = errors.New("no progress loaded")
			}
			loaded <- err
		}()
		return func() { _ = tx.Rollback(context.Background()) }, loaded
	}
	waits := func(n int) {
		factlinetest.Eventually(t, 20*time.Second, "transactions that wait for the lock", func() (bool, error) {
			var waiting int
			err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
			return waiting == n, err
		})
	}
	got := func(loaded chan error) {
		t.Helper()
		if err := <-loaded; err != nil {
			t.Fatal(err)
		}
	}
	endFirst, first := load("one")
	got(first)
	endSecond, second := load("one")
	got(second)
	endOther, other := load("two")
	waits(1)
	endFirst()
	endSecond()
	got(other)
	endThird, third := load("one")
	waits(1)
	endOther()
	got(third)
	endThird()
}

// Whoever wanted the partition alone waited for as long as there was work: an
// operator's skip and a redrive for minutes in a backlog.
func TestWhoWaitsForAPartitionAloneComesBeforeLaterOnesThatShareIt(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	at := inbox.Progress{Topic: "orders", Partition: 3}
	if err := inbox.StartPartition(t.Context(), pool, "s.orders.consumer", time.Now(), at); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.TakePartitions(t.Context(), pool, "s.orders.consumer", "one", []inbox.Progress{at}); err != nil {
		t.Fatal(err)
	}
	load := func(member string) (end func(), loaded chan error) {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		end = func() { _ = tx.Rollback(context.Background()) }
		t.Cleanup(end) // a failed test must not wait for its pool
		loaded = make(chan error, 1)
		go func() {
			_, err := inbox.Load(context.Background(), tx, inbox.Scope{Consumer: "s.orders.consumer", Topic: "orders", Partitions: []int32{3}, Member: member}, nil, nil)
			loaded <- err
		}()
		return end, loaded
	}
	waits := func(n int) {
		factlinetest.Eventually(t, 20*time.Second, "transactions that wait for their turn", func() (bool, error) {
			var waiting int
			err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
			return waiting == n, err
		})
	}
	endFirst, first := load("one")
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	endAlone, alone := load("")
	waits(1)
	endLater, later := load("one")
	waits(2)
	endFirst()
	if err := <-alone; err != nil {
		t.Fatal(err)
	}
	waits(1)
	endAlone()
	if err := <-later; err != nil {
		t.Fatal(err)
	}
	endLater()
}

// Two transactions beside each other know nothing of an aggregate whose records
// have several keys.
func TestAGateThatAnotherOpenedMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	scope := inbox.Scope{Consumer: "s.orders.consumer", Topic: "orders", Partitions: []int32{0}}
	if err := inbox.StartPartition(t.Context(), pool, scope.Consumer, time.Now(), inbox.Progress{Topic: "orders"}); err != nil {
		t.Fatal(err)
	}
	open := func(version int64, id string) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			loaded, err := inbox.Load(t.Context(), tx, scope, nil, nil)
			if err != nil {
				return err
			}
			changes := loaded.Changes(time.Now())
			changes.Moves = []inbox.Move{{Aggregate: inbox.Aggregate{TenantID: "acme", Type: "Order", ID: "o1"}, Position: inbox.Position{Version: version, EventID: id}}}
			batch := &pgx.Batch{}
			changes.Queue(batch)
			return tx.SendBatch(t.Context(), batch).Close()
		})
	}
	if err := open(5, "evt_5"); err != nil {
		t.Fatal(err)
	}
	if err := open(1, "evt_1"); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("opening it again: %v, want an error that asks to try again", err)
	}
	var version int64
	if err := pool.QueryRow(t.Context(), `SELECT version FROM factline.gate`).Scan(&version); err != nil || version != 5 {
		t.Errorf("the gate stands at %d, %v; want 5", version, err)
	}
}
