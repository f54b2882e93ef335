package outbox

import (
	"context"
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

// Pitfall 6: one event a chunk, and the first is refused three times.
func TestAnEventThatFailsIsNotOvertakenByItsSuccessor(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: 3})
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

// Pitfall 14: published rows are neither updated nor deleted, and the table of
// the lanes, which is updated all the time, needs no vacuum for it.
func TestADrainUpdatesNoEventAndBloatsNothing(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.fill(2000)
	stop := b.relay(func(c *RelayConfig) { c.ChunkEvents = 20 })
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
