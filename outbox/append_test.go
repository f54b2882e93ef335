package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files, err := statements.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".sql")
		// pgx rewrites named arguments only when it sends; PREPARE needs $1.
		sql := statement(name)
		n := 0
		for _, arg := range namedArgument.FindAllString(sql, -1) {
			n++
			sql = strings.Replace(sql, arg, fmt.Sprintf("$%d", n), 1)
		}
		conn, err := b.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Release()
	}
}

func TestAppendNumbersAnAggregateWithoutGaps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(event("a", "1"), event("b", "1"), event("a", "2"))
	b.append(event("a", "3"))
	versions := map[string][]int64{}
	for _, row := range b.stored() {
		e, err := envelope.DecodeRaw(row.Value)
		if err != nil {
			t.Fatal(err)
		}
		if e.AggregateVersion != row.AggregateVersion {
			t.Errorf("the value says version %d, the row %d", e.AggregateVersion, row.AggregateVersion)
		}
		versions[row.AggregateID] = append(versions[row.AggregateID], row.AggregateVersion)
	}
	if got := fmt.Sprint(versions); got != "map[a:[1 2 3] b:[1]]" {
		t.Errorf("versions in position order: %s", got)
	}
}

// sharedContracts leaves the producer open, as contracts of events do that every
// service may emit.
type sharedContracts struct{ testContracts }

func (c sharedContracts) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	r, err := c.testContracts.Route(eventType, version, payload)
	r.Producer = ""
	return r, err
}

func TestAnEventOfAnyProducerIsAppendedByEveryService(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := New(Config{Contracts: sharedContracts{testContracts{b.topic}}, Producer: "another-service"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.in(func(tx pgx.Tx) error { return other.Append(t.Context(), tx, event("a", "")) }); err != nil {
		t.Error(err)
	}
}

func TestAppendRefusesWhatBreaksTheContractAndKeepsTheTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := New(Config{Contracts: testContracts{b.topic}, Producer: "another-service"})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		outbox *Outbox
		event  Event
		want   string
	}{
		{"a payload that the contract refuses", b.outbox, event("a", "FORBIDDEN"), "payload.note"},
		{"a payload without its key", b.outbox, Event{Type: "ThingHappened", TenantID: "t", AggregateID: "a", Payload: thing{}}, "payload.id"},
		{"an event without a tenant", b.outbox, Event{Type: "ThingHappened", AggregateID: "a", Payload: thing{ID: "a"}}, "tenantId"},
		{"an event of another service", other, event("a", ""), "belongs to test-service"},
		{"an event over the size limit", b.outbox, event("a", strings.Repeat("x", envelope.MaxValueBytes)), "over the limit"},
		{"an aggregate id over the limit", b.outbox, event(strings.Repeat("x", 2000), ""), "over the limit"},
	}
	err = b.in(func(tx pgx.Tx) error {
		for _, c := range cases {
			if err := c.outbox.Append(t.Context(), tx, c.event); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v does not name %q", c.name, err, c.want)
			}
		}
		return b.outbox.Append(t.Context(), tx, event("a", "fine"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(b.stored()); got != 1 {
		t.Errorf("%d rows stored, want the one good event", got)
	}
}

func TestAppendFindsAVersionConflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	expect := func(v int64) *int64 { return &v }
	first := event("a", "")
	first.ExpectedVersion = expect(0)
	b.append(first)
	again := event("a", "")
	again.ExpectedVersion = expect(0)
	err := b.in(func(tx pgx.Tx) error { return b.outbox.Append(t.Context(), tx, again) })
	var conflict *VersionConflictError
	if !errors.As(err, &conflict) || conflict.Expected != 0 || conflict.Actual != 1 || conflict.AggregateID != "a" {
		t.Fatalf("got %v, want a conflict of expected 0 and actual 1", err)
	}
	next := event("a", "")
	next.ExpectedVersion = expect(1)
	b.append(next)
	if got := len(b.stored()); got != 2 {
		t.Errorf("%d rows stored, want 2", got)
	}
}

func TestConcurrentAppendsOfOneAggregateStandInVersionOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for i := range 20 {
				err := b.in(func(tx pgx.Tx) error {
					if err := b.outbox.Append(context.Background(), tx, event("a", fmt.Sprint(w, i)), event(fmt.Sprint("other", w), "")); err != nil {
						return err
					}
					if i%5 == 4 {
						return errRollback
					}
					return nil
				})
				if err != nil && !errors.Is(err, errRollback) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	next := int64(1)
	for _, row := range b.stored() {
		if row.AggregateID == "a" {
			if row.AggregateVersion != next {
				t.Fatalf("position %d has version %d, want %d", row.Position, row.AggregateVersion, next)
			}
			next++
		}
	}
	if next != 8*16+1 {
		t.Errorf("%d versions stored, want %d", next-1, 8*16)
	}
}

var errRollback = errors.New("rolled back on purpose")

func TestABufferLocksAggregatesInOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for range 30 {
				err := b.in(func(tx pgx.Tx) error {
					ctx, buffer := WithBuffer(context.Background(), tx)
					for i := range 6 {
						id := fmt.Sprint((i*5 + w*3) % 6) // another order in each worker
						if err := b.outbox.Append(ctx, tx, event(id, "")); err != nil {
							return err
						}
					}
					return buffer.Flush(ctx, b.outbox)
				})
				if err != nil {
					t.Errorf("worker %d: %v", w, err)
				}
			}
		})
	}
	wait.Wait()
	if got := len(b.stored()); got != 4*30*6 {
		t.Errorf("%d events stored, want %d", got, 4*30*6)
	}
}

func TestForwardKeepsEveryByte(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	records := []Record{
		{Topic: b.topic, Key: nil, Value: []byte("no key \x00 \xff")},
		{Topic: b.topic, Key: []byte{}, Value: []byte{}},
		{Topic: b.topic, Key: []byte("k"), Value: nil, Headers: []envelope.Header{{Key: "x", Value: nil}, {Key: "x", Value: []byte{}}, {Key: "é", Value: []byte("\xfe")}}},
	}
	if err := b.in(func(tx pgx.Tx) error { return b.outbox.Forward(t.Context(), tx, records...) }); err != nil {
		t.Fatal(err)
	}
	b.relay()
	got := b.records(3)
	find := func(match func(i int) bool) int {
		for i := range got {
			if match(i) {
				return i
			}
		}
		t.Fatal("a record is missing")
		return 0
	}
	bare := got[find(func(i int) bool { return string(got[i].Value) == "no key \x00 \xff" })]
	if bare.Key != nil {
		t.Errorf("a nil key became %q", bare.Key)
	}
	empty := got[find(func(i int) bool { return got[i].Value != nil && len(got[i].Value) == 0 })]
	if empty.Key == nil {
		t.Error("an empty key became nil")
	}
	tombstone := got[find(func(i int) bool { return got[i].Value == nil })]
	if string(tombstone.Key) != "k" || len(tombstone.Headers) != 3 || tombstone.Headers[0].Value != nil || tombstone.Headers[1].Value == nil || string(tombstone.Headers[2].Value) != "\xfe" {
		t.Errorf("the tombstone's headers changed: %q", tombstone.Headers)
	}
}

func TestAppendWithoutTheTablesSaysWhatToDo(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	o, err := New(Config{Contracts: testContracts{"test.things.events.v1"}, Producer: "test-service"})
	if err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return o.Append(t.Context(), tx, event("a", "")) })
	if !errors.Is(err, ErrWrongTransaction) || !strings.Contains(err.Error(), "migrate.Up") {
		t.Errorf("error %v does not say to run migrate.Up", err)
	}
}

func TestAnEventCommittedWithSynchronousCommitOffIsStillDurable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.in(func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		if err := b.outbox.Append(t.Context(), tx, event("a", "")); err != nil {
			return err
		}
		var setting string
		if err := tx.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&setting); err != nil {
			return err
		}
		if setting == "off" {
			t.Error("the transaction would be seen before it is durable")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASnapshotRepeatsTheVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	snapshot := event("a", "state")
	snapshot.Snapshot = true
	b.append(event("a", ""), snapshot, event("a", ""))
	b.append(snapshot)
	var versions []int64
	for _, row := range b.stored() {
		versions = append(versions, row.AggregateVersion)
	}
	if got := fmt.Sprint(versions); got != "[1 1 2 2]" {
		t.Errorf("versions %s, want the snapshots to repeat: [1 1 2 2]", got)
	}
}

func TestABaselineAdoptsAnAggregateOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	adopt := func(version int64) {
		t.Helper()
		if err := b.in(func(tx pgx.Tx) error {
			return b.outbox.Baseline(t.Context(), tx, "tenant_001", "Thing", "a", version)
		}); err != nil {
			t.Fatal(err)
		}
	}
	adopt(41)
	b.append(event("a", ""))
	adopt(7) // it has a head by now
	b.append(event("a", ""))
	var versions []int64
	for _, row := range b.stored() {
		versions = append(versions, row.AggregateVersion)
	}
	if got := fmt.Sprint(versions); got != "[42 43]" {
		t.Errorf("versions %s after a baseline of 41, want [42 43]", got)
	}
	if err := b.outbox.Baseline(t.Context(), nil, "tenant_001", "Thing", "b", -1); err == nil || !strings.Contains(err.Error(), "version -1 is negative") {
		t.Errorf("a baseline of -1 gave %v", err)
	}
}

// A connection keeps its plans, and the lanes are constants in them.
func TestAppendsFollowAChangeOfLanes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn, err := b.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	lanes := func(end func(tx pgx.Tx) error) (highest int16) {
		t.Helper()
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		record := Record{Topic: b.topic, Key: []byte("k")}
		for i := range 64 {
			id := fmt.Sprintf("%d", i)
			if err := errors.Join(b.outbox.Append(t.Context(), tx, event(id, "")), b.outbox.Append(t.Context(), tx, event(id, ""), event(id, "")),
				b.outbox.Forward(t.Context(), tx, record)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.QueryRow(t.Context(), "SELECT max(lane) FROM factline.outbox_event").Scan(&highest); err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		return highest
	}
	rollback := func(tx pgx.Tx) error { return tx.Rollback(t.Context()) }
	if got := lanes(rollback); got != 15 {
		t.Errorf("64 aggregates reach lane %d of 16 lanes, want 15", got)
	}
	for _, wanted := range []int{4, 32} {
		if err := migrate.Up(t.Context(), b.pool, migrate.Config{Lanes: wanted}); err != nil {
			t.Fatal(err)
		}
		if got := lanes(rollback); int(got) != wanted-1 {
			t.Errorf("64 aggregates reach lane %d of %d lanes, want %d", got, wanted, wanted-1)
		}
	}
}

// An append under way has planned with the lanes there were. To change them means
// to wait for it, and then to find its event.
func TestAChangeOfLanesWaitsForAppendsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	changed := make(chan error, 1)
	err := b.in(func(tx pgx.Tx) error {
		if err := b.outbox.Append(t.Context(), tx, event("a", "")); err != nil {
			return err
		}
		go func() { changed <- migrate.Up(t.Context(), b.pool, migrate.Config{Lanes: 4}) }()
		factlinetest.Eventually(t, time.Minute, "the change waits", func() (bool, error) {
			var waits bool
			err := b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
				WHERE NOT granted AND relation = 'factline.outbox_event'::regclass
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits)
			return waits, err
		})
		return migrate.Up(t.Context(), b.pool, migrate.Config{}) // as many as there are: waits for nobody
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-changed; err == nil || !strings.Contains(err.Error(), "still holds events") {
		t.Errorf("the change ended with %v, want the refusal that events still wait", err)
	}
}

// A lane that is dropped and made again begins at position 1. What was published
// of the former one passed for published of the new one, and was lost.
func TestALaneThatComesBackIsANewOne(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fill := func(wave string) {
		for i := range 64 {
			b.append(event(wave+strconv.Itoa(i), ""))
		}
	}
	fill("before")
	stop := b.relay()
	b.published(64)
	b.settled()
	stop()
	if _, err := b.pool.Exec(t.Context(), "TRUNCATE factline.outbox_event"); err != nil {
		t.Fatal(err)
	}
	for _, lanes := range []int{4, 16} {
		if err := migrate.Up(t.Context(), b.pool, migrate.Config{Lanes: lanes}); err != nil {
			t.Fatal(err)
		}
	}
	fill("after")
	b.relay()
	b.settled()
	b.once(128)
}

// What an append costs is in its plan: the head, the event, and nothing between.
// A volatile function in the outer SELECT keeps it apart from the INSERT, and a
// function that is not put into the plan is called for every event.
func TestAppendingOneEventTakesTwoSteps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sql := namedArgument.ReplaceAllString(statement("append_one"), "NULL")
	rows, err := b.pool.Query(t.Context(), "EXPLAIN (VERBOSE, COSTS OFF) "+sql)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if strings.Count(plan, "->") != 3 || !strings.Contains(plan, "->  CTE Scan on head") {
		t.Errorf("the plan has other steps than Result, Insert on outbox_stream and CTE Scan below the Insert:\n%s", plan)
	}
	for _, called := range []string{"outbox_lane_of", "outbox_next_position", "outbox_sequences", "outbox_setting"} {
		if strings.Contains(plan, called) {
			t.Errorf("the plan still asks %s:\n%s", called, plan)
		}
	}
}
