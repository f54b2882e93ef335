package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/factlinetest"
)

// Pitfall 39: the newest ended transaction is no bound for the open ones. Here
// the one with the lower position has the higher id and stays open, and nothing
// else runs that could push the bound up.
func TestAnOpenTransactionAboveTheNewestEndedOneIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.sameLane("a", 2)
	begin := func(sql string) pgx.Tx {
		tx, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	first, second := begin("SELECT pg_current_xact_id()"), begin("SELECT 1")
	for i, tx := range []pgx.Tx{second, first} {
		if err := b.outbox.Append(t.Context(), tx, event(keys[i], "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &store{pool: b.pool, maxEvents: 10, maxBytes: 1 << 20}
	l := newLane(laneOf(b, "a"), 1, 0)
	look := func() (positions []int64) {
		r := s.read(t.Context(), newReadRequest([]*lane{l}))
		if r.err != nil {
			t.Fatal(r.err)
		}
		if r.bound > 0 {
			l.setBound(r.bound, r.request.lanes[0].spans)
		}
		for _, row := range r.lanes[0].rows {
			positions = append(positions, row.position)
		}
		l.take(r.lanes[0].rows, r.request.lanes[0].complete(r.lanes[0].cut), r.xmin)
		return positions
	}
	for range 4 {
		look()
	}
	if len(l.holes) != 1 {
		t.Fatalf("holes %v, want the open transaction's", l.holes)
	}
	if err := second.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := look(); len(got) != 1 || got[0] != 1 {
		t.Errorf("read positions %v, want 1", got)
	}
}

// Rolled-back transactions left thousands of holes while one that is open keeps
// all of them from being proved empty. Each was looked up again in every read,
// for all lanes. A row in one of them still comes before what follows it.
func TestManyHolesAreNotAskedForAgainUntilSomebodyWhoMayFillThemEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const holes = 3 * mostHoles
	open, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
	const fill = `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type,
		aggregate_id, aggregate_version, topic, value, stamped)
		SELECT 0, position, 'e', 'T', 't', 'A', 'a', 1, 'topic', '', true FROM generate_series($1::bigint, $2::bigint, 2) AS position`
	if _, err := open.Exec(t.Context(), fill, 1001, 1001); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), fill, 2, 2*holes); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), "SELECT setval('factline.outbox_position_0', $1)", 2*holes+4); err != nil {
		t.Fatal(err)
	}
	s := &store{pool: b.pool, maxEvents: 1000, maxBytes: 1 << 20}
	l, other := newLane(0, 1, 0), newLane(1, 1, 0)
	r := &Relay{cfg: RelayConfig{}.WithDefaults(), store: s}
	looks := &loop{relay: r, log: r.cfg.Logger, lanes: map[int16]*lane{0: l, 1: other}}
	look := func() (positions []int64, spans int) {
		request := newReadRequest([]*lane{l, other})
		looks.tookRead(s.read(t.Context(), request))
		if spans = len(request.lanes[0].spans); spans > mostHoles+1 || len(request.lanes[1].spans) != 1 {
			t.Fatalf("%d and %d spans were asked for", spans, len(request.lanes[1].spans))
		}
		if l.next != nil {
			for _, row := range l.next.rows {
				positions = append(positions, row.position)
			}
			l.next = nil
		}
		return positions, spans
	}
	var all []int64
	spans, reads := 0, 0
	for ; spans != 1 || reads < 2; reads++ {
		var found []int64
		if found, spans = look(); reads > 50 {
			t.Fatalf("%d spans are still asked for, %d holes", spans, len(l.holes))
		}
		all = append(all, found...)
	}
	if len(all) != holes || len(l.holes) != holes {
		t.Fatalf("%d rows came out and %d holes are known, want %d of both", len(all), len(l.holes), holes)
	}
	if _, err := b.pool.Exec(t.Context(), fill, 2*holes+2, 2*holes+2); err != nil {
		t.Fatal(err)
	}
	all = nil
	for reads = 0; len(all) == 0 && reads < 50; reads++ { // transactions of other tests end, too
		all, _ = look()
	}
	if len(all) != 1 {
		t.Errorf("read %v, want the new row although the holes are open", all)
	}
	if _, err := open.Exec(t.Context(), fill, 2*holes+4, 2*holes+4); err != nil { // follows the row in the hole
		t.Fatal(err)
	}
	if err := open.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	all = nil
	// Other tests have transactions open, too.
	factlinetest.Eventually(t, 30*time.Second, "the proof that every hole is empty", func() (bool, error) {
		found, _ := look()
		all = append(all, found...)
		if len(all) == 2 && len(l.holes) == 0 {
			return true, nil
		}
		return false, fmt.Errorf("read %v, %d holes", all, len(l.holes))
	})
	if all[0] != 1001 {
		t.Errorf("read %v, want the row in the hole first", all)
	}
}

// Pitfall 4: a transaction id means nothing in another cluster.
func TestNoTableStoresATransactionID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows, err := b.pool.Query(t.Context(), `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'factline' AND (data_type IN ('xid', 'xid8', 'pg_snapshot') OR column_name ~ '(^|_)(xid|xmin|xmax|xact)(_|$)'
			OR column_default ~ 'xact_id|snapshot')`)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(found) > 0 {
		t.Errorf("transaction ids are stored in %v (%v)", found, err)
	}
}

// Pitfall 6: one event a chunk, and the first is refused three times, for a
// reason that concerns all topics.
func TestAnEventThatFailsIsNotOvertakenByItsSuccessor(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.ClusterAuthorizationFailed, Count: 3})
	for range 10 {
		b.append(event("a", ""))
	}
	b.relay(func(c *RelayConfig) { c.ChunkEvents = 1 })
	b.settled()
	if fault.Hits() != 3 {
		t.Fatalf("%d batches failed, want 3", fault.Hits())
	}
	checkOrder(t, b.published(10), 10)
}

// Pitfall 12: a leader that holds a session lock loses it with its connection.
func TestConnectionsThatAreRecycledCostNoLane(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	cfg := b.pool.Config()
	cfg.MaxConnLifetime, cfg.HealthCheckPeriod = 20*time.Millisecond, 10*time.Millisecond
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b.relay(func(c *RelayConfig) { c.Pool = pool })
	for round := range 10 {
		b.append(event("a", ""))
		b.published(round + 1)
	}
	factlinetest.Eventually(t, 10*time.Second, "recycled connections", func() (bool, error) { return pool.Stat().NewConnsCount() > 10, nil })
	var epoch int64
	if err := b.pool.QueryRow(t.Context(), "SELECT max(epoch) FROM factline.outbox_lane").Scan(&epoch); err != nil || epoch != 1 {
		t.Errorf("the lanes are in epoch %d (%v), want the first", epoch, err)
	}
}

var clockArgument = regexp.MustCompile(`@\w+::(timestamp|timestamptz|date)\b|\bnow\(\)`)

// Pitfall 13 and 15: a host's clock may be wrong by hours, so none is sent; and
// nothing waits for a notification, which would serialise commits.
func TestNoStatementTakesAnotherClockOrNotifies(t *testing.T) {
	t.Parallel()
	entries, err := statements.ReadDir("sql")
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d statements: %v", len(entries), err)
	}
	for _, e := range entries {
		text := statement(strings.TrimSuffix(e.Name(), ".sql"))
		if found := clockArgument.FindString(text); found != "" {
			t.Errorf("%s takes %s; use clock_timestamp() in the statement", e.Name(), found)
		}
		if strings.Contains(strings.ToLower(text), "notify") || strings.Contains(strings.ToLower(text), "listen") {
			t.Errorf("%s uses notifications", e.Name())
		}
	}
}

// Pitfall 15: an idle relay that nobody wakes.
func TestPollingAloneFindsAnEventSoon(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay(func(c *RelayConfig) { c.LeaseTTL = time.Hour })
	for i := range 5 {
		b.append(event("a", ""))
		b.published(i + 1)
	}
	b.settled()
	var slowest float64
	err := b.pool.QueryRow(t.Context(), `SELECT extract(epoch FROM max(r.published_at - e.created_at))::float8
		FROM factline.outbox_event e JOIN factline.outbox_receipt r ON e.lane = r.lane AND e.position = ANY(r.positions)
		WHERE e.aggregate_version > 1`).Scan(&slowest)
	if err != nil || slowest > 10 {
		t.Errorf("an event waited for %.1fs (%v), want far below 10", slowest, err)
	}
}

// Pitfall 17: what a JSON column would sort, round or merge.
func TestAValueReachesTheLogByteForByte(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	e := event("a", "")
	e.Payload = json.RawMessage(`{"note":"\u00e9 \u2028","id":"a","b":1.10,"a":12345678901234567890.5e3,"b":0}`)
	b.append(e, event("b", " x  y "))
	b.relay()
	b.settled()
	b.checkBytes(2)
}

// Pitfall 14: published rows are neither updated nor deleted, and the table of
// the lanes, which is updated all the time, needs no vacuum for it.
func TestADrainUpdatesNoEventAndBloatsNothing(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.fill(2000)
	// Renewals of leases update lanes as well, and change nothing that is indexed.
	stop := b.relay(func(c *RelayConfig) { c.ChunkEvents, c.LeaseTTL = 20, time.Hour })
	b.settled()
	stop()
	var touched, updates, hot int64
	factlinetest.Eventually(t, 15*time.Second, "statistics", func() (bool, error) {
		err := b.pool.QueryRow(t.Context(), `SELECT coalesce(sum(n_tup_upd + n_tup_del) FILTER (WHERE relname LIKE 'outbox\_event%'), 0)::bigint,
			coalesce(sum(n_tup_upd) FILTER (WHERE relname = 'outbox_lane'), 0)::bigint,
			coalesce(sum(n_tup_hot_upd) FILTER (WHERE relname = 'outbox_lane'), 0)::bigint
			FROM pg_stat_user_tables WHERE schemaname = 'factline'`).Scan(&touched, &updates, &hot)
		return updates > 50, err
	})
	if touched > 0 || hot < updates/2 {
		t.Errorf("%d events were updated or deleted, %d of %d updates of lanes were HOT; want none and most", touched, hot, updates)
	}
}

// Pitfall 45: a relay of the version before holds the lanes during a deploy. It
// knows neither the table of relays nor the columns that came with it.
func TestARelayOfTheVersionBeforeRunsBesideThisOne(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	old := func(sql string) {
		if _, err := b.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("the version before: %v", err)
		}
	}
	old(oldLease)
	b.append(event("a", ""), event("a", ""))
	b.relay(func(c *RelayConfig) { c.Instance = "new" })
	b.awaitOwners("map[old:16]")
	old(oldLease)
	old(oldPark)
	if all, err := Parked(t.Context(), b.pool, ParkedFilter{}); err != nil || len(all) != 1 || all[0].ID == "" {
		t.Errorf("what the version before parked is listed as %+v (%v)", all, err)
	}
	old("UPDATE factline.outbox_lane SET owner = '', leased_until = '-infinity' WHERE owner = 'old'")
	b.awaitOwners("map[new:16]")
	if got := b.resolve(b.parkedOne().ID, Retry); got.EventID == "" {
		t.Error("what the version before parked cannot be resolved")
	}
	b.nothingParked()
	checkOrder(t, b.published(2), 2)
}

const oldLease = `UPDATE factline.outbox_lane AS l
	SET owner = 'old', epoch = CASE WHEN l.owner = 'old' THEN l.epoch ELSE l.epoch + 1 END, leased_until = clock_timestamp() + interval '1 hour'
	WHERE l.lane IN (SELECT lane FROM factline.outbox_lane WHERE owner = 'old' OR leased_until < clock_timestamp() ORDER BY lane FOR UPDATE)`

// The first event as culprit; its successor is still unread.
const oldPark = `INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
		aggregate_version, topic, record_key, headers, value, stamped, created_at, reason, is_culprit, parked_at)
	SELECT lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, record_key,
		headers, value, stamped, created_at, 'refused', true, clock_timestamp()
	FROM factline.outbox_event WHERE aggregate_version = 1`

// Pitfall 10: the relay is told to stop while an answer is lost.
func TestAStopWhileAnAnswerIsLostLosesNothing(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	for i := range 30 {
		b.append(event(fmt.Sprint("a", i%3), ""))
	}
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2})
	stop := b.relay()
	factlinetest.Eventually(t, 10*time.Second, "a lost answer", func() (bool, error) { return fault.Hits() > 0, nil })
	stop()
	b.relay()
	b.settled()
	checkOrder(t, b.published(30), 30)
	if got := b.parked(); len(got) > 0 {
		t.Errorf("a lost answer parked %+v", got)
	}
}
