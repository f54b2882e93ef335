package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
)

func TestRelayPublishesWithKeyHeadersAndPublishedAt(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay()
	cause := envelope.Cause{
		TenantID: "tenant_001", CorrelationID: "corr_1", CausationID: "cmd_1",
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Metadata:    map[string]string{"actorId": "user_1"},
	}
	err := b.in(func(tx pgx.Tx) error {
		return b.outbox.Append(envelope.WithCause(t.Context(), cause), tx, Event{Type: "ThingHappened", AggregateID: "a", Payload: thing{ID: "a"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	record := b.records(1)[0]
	e, err := envelope.DecodeRaw(record.Value)
	if err != nil {
		t.Fatal(err)
	}
	if e.TenantID != "tenant_001" || e.CorrelationID != "corr_1" || e.CausationID != "cmd_1" || e.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || e.Metadata["actorId"] != "user_1" {
		t.Errorf("the cause did not reach the event: %+v", e)
	}
	if e.PublishedAt.IsZero() || e.PublishedAt.Before(e.OccurredAt) {
		t.Errorf("publishedAt %s, occurredAt %s", e.PublishedAt, e.OccurredAt)
	}
	if string(record.Key) != "a" || len(record.Headers) != 9 {
		t.Errorf("key %q and %d headers, want a and 9", record.Key, len(record.Headers))
	}
	b.settled()
	var positions, offsets []int64
	if err := b.pool.QueryRow(t.Context(), "SELECT positions, offsets FROM factline.outbox_receipt").Scan(&positions, &offsets); err != nil {
		t.Fatal(err)
	}
	if len(positions) != 1 || offsets[0] != record.Offset {
		t.Errorf("receipt says positions %v at offsets %v, the log says %d", positions, offsets, record.Offset)
	}
}

// Pitfall 1 and 39: the transaction that took the lower position commits last,
// and nothing else runs on the cluster that could move its horizon.
func TestALateCommitIsPublished(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay()
	late, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Rollback(context.WithoutCancel(t.Context())) }()
	if err := b.outbox.Append(t.Context(), late, event("late", "")); err != nil {
		t.Fatal(err)
	}
	lane := laneHash(b.topic, []byte("late")) % 16
	early := ""
	for i := 0; early == ""; i++ {
		if id := fmt.Sprint("early", i); laneHash(b.topic, []byte(id))%16 == lane {
			early = id
		}
	}
	b.append(event(early, ""))
	if got := b.published(1); got[0].AggregateID != early {
		t.Fatalf("%s was published, want the one that committed", got[0].AggregateID)
	}
	// Many more looks while the hole is open: a relay that gave it up on a
	// bound that does not hold would have done so by now.
	for i := range 20 {
		b.append(event(early, fmt.Sprint(i)))
		b.published(2 + i)
	}
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range b.published(22) {
		found = found || e.AggregateID == "late"
	}
	if !found {
		t.Error("the event that committed late was lost")
	}
}

func TestARolledBackPositionIsProvedDead(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	err := b.in(func(tx pgx.Tx) error {
		if err := b.outbox.Append(t.Context(), tx, event("a", ""), event("a", ""), event("a", "")); err != nil {
			return err
		}
		return errRollback
	})
	if !errors.Is(err, errRollback) {
		t.Fatal(err)
	}
	b.append(event("a", ""))
	b.relay()
	b.published(1)
	b.append(event("a", ""))
	b.published(2)
	factlinetest.Eventually(t, 10*time.Second, "a low-water mark past the dead positions", func() (bool, error) {
		b.append(event("a", "")) // a receipt carries the mark along
		var low int64
		err := b.pool.QueryRow(t.Context(), "SELECT max(low_water) FROM factline.outbox_lane").Scan(&low)
		return low >= 5, err
	})
}

func TestANewOwnerSendsNothingThatIsPublished(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	// A hole keeps the low-water mark down, so that only receipts tell.
	open, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
	if err := b.outbox.Append(t.Context(), open, event("a", "open")); err != nil {
		t.Fatal(err)
	}
	stop := b.relay()
	for i := range 50 {
		b.append(event(fmt.Sprint("b", i), ""))
	}
	b.published(50)
	b.settled0(50)
	stop()
	b.relay()
	b.append(event("z", "after"))
	if err := open.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range b.published(52) {
		seen[e.EventID]++
	}
	b.settled()
	if len(seen) != 52 {
		t.Errorf("%d different events on the log, want 52: a clean stop repeats nothing", len(seen))
	}
	if extra := b.records(52); len(extra) != 52 {
		t.Errorf("%d records, want 52", len(extra))
	}
}

// settled0 waits until n receipts are recorded.
func (b *bundle) settled0(n int) {
	b.t.Helper()
	factlinetest.Eventually(b.t, 10*time.Second, "all receipts", func() (bool, error) {
		var got int
		err := b.pool.QueryRow(b.t.Context(), "SELECT coalesce(sum(cardinality(positions)), 0) FROM factline.outbox_receipt").Scan(&got)
		return got == n, err
	})
}

// Pitfall 2, 5 and 6: many writers, random rollbacks and slow commits, relays
// that come and go. First occurrences on the log are in version order.
func TestOrderHoldsThroughConcurrencyRollbacksAndRestarts(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	const writers, each, aggregates = 6, 60, 9
	stop := b.relay(func(c *RelayConfig) { c.ChunkEvents = 7 })
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				rollback := rand.IntN(6) == 0
				err := b.in(func(tx pgx.Tx) error {
					id := fmt.Sprint("agg", rand.IntN(aggregates))
					if err := b.outbox.Append(context.Background(), tx, event(id, fmt.Sprint(w, "-", i)), event(id, "second")); err != nil {
						return err
					}
					if rollback {
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
	for range 3 {
		b.awaitPublished(1)
		stop()
		stop = b.relay(func(c *RelayConfig) { c.ChunkEvents = 7 })
	}
	wait.Wait()
	b.settled()
	var committed int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM factline.outbox_event").Scan(&committed); err != nil {
		t.Fatal(err)
	}
	checkOrder(t, b.published(committed), committed)
}

func (b *bundle) awaitPublished(n int) { b.published(n) }

// checkOrder asserts that first occurrences of every aggregate are in version
// order without a gap and that every committed event is there.
func checkOrder(t *testing.T, events []envelope.Raw, committed int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]int64{}
	for _, e := range events {
		if seen[e.EventID] {
			continue
		}
		seen[e.EventID] = true
		if e.AggregateVersion != last[e.AggregateID]+1 {
			t.Errorf("%s: version %d stands after version %d", e.AggregateID, e.AggregateVersion, last[e.AggregateID])
		}
		last[e.AggregateID] = e.AggregateVersion
	}
	if len(seen) != committed {
		t.Errorf("%d of %d committed events are on the log", len(seen), committed)
	}
}

func TestARelayWithoutTablesSaysWhatToDo(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	r, err := NewRelay(RelayConfig{Pool: pool, Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, ErrWrongTransaction) {
		t.Errorf("got %v, want an error that names migrate.Up", err)
	}
}
