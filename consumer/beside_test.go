package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
)

// slowKey is a handler of which the events of one order do not return before
// they are told to.
type slowKey struct {
	order   string
	entered chan string
	leave   chan struct{}
}

func newSlowKey(order string) *slowKey {
	return &slowKey{order: order, entered: make(chan string, 100), leave: make(chan struct{})}
}

func (s *slowKey) handle(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	if m.AggregateID == s.order {
		s.entered <- m.EventID
		select {
		case <-s.leave:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return record(ctx, tx, m)
}

func TestASlowKeyDelaysNoOtherKeyOfItsPartition(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	slow := newSlowKey("a")
	b.send(order("a", 1))
	b.start(handlers(slow.handle))
	<-slow.entered
	b.send(order("b", 1), order("a", 2), order("c", 1), order("b", 2))
	b.wantEffects("b/1", "c/1", "b/2")
	if next, at := one[int64](b, `SELECT next_offset FROM factline.consumer_offset`), b.committed(); next != 0 || at > 0 {
		t.Errorf("next offset %d, committed %d; the first record is not settled", next, at)
	}
	close(slow.leave)
	b.wantEffects("a/1", "a/2", "b/1", "b/2", "c/1")
	b.wantNext(5)
	b.wantCommitted(5)
}

// What is tried again has its key to itself, as any record has.
func TestASlowRetryDelaysNoOtherKeyOfItsPartition(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	slow := newSlowKey("a")
	failed := false
	b.send(order("a", 1))
	b.start(func(c *consumer.Config) {
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if m.AggregateID == "a" && !failed {
				failed = true
				return errors.New("not this time")
			}
			return slow.handle(ctx, tx, m)
		})(c)
		c.InPlaceAttempts = 1
		c.Subscriptions[0].RetryTiers = []time.Duration{time.Millisecond}
	})
	<-slow.entered
	b.send(order("a", 2), order("b", 1), order("b", 2))
	b.wantEffects("b/1", "b/2")
	close(slow.leave)
	b.wantEffects("a/1", "a/2", "b/1", "b/2")
	b.wantNext(4)
}

// besideFirst is an owner whose first record's handler does not return, and whose
// later records were each offered to a transaction beside it.
func (b *bundle) besideFirst(mode consumer.Mode, records ...*kgo.Record) (o *consumer.Owner, leave func()) {
	b.t.Helper()
	slow := newSlowKey("a")
	cfg := b.cfg
	cfg.MaxChunkRecords, cfg.Registerer = 1, nil
	cfg.Subscriptions = []consumer.Subscription{{Topic: orders, Mode: mode, Handlers: map[string]consumer.Handler{"OrderCaptured": slow.handle}}}
	if mode == consumer.Latest {
		cfg.Subscriptions[0].Handlers[""] = forget
	}
	r, err := consumer.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, record := range records {
		record.Offset = int64(i)
	}
	if o, err = r.Own(b.t.Context(), orders, map[int32][]*kgo.Record{0: records}); err != nil {
		b.t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() { first <- o.Handle(0) }()
	<-slow.entered
	for range records {
		if err := o.Handle(0); err != nil {
			b.t.Fatal(err)
		}
	}
	return o, func() {
		close(slow.leave)
		if err := <-first; err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestNothingIsTakenFurtherAheadThanWhatMayBeQueued(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.cfg.MaxQueuedRecords = 3
	o, leave := b.besideFirst(consumer.Ordered, b.recordOf(order("a", 1)), b.recordOf(order("b", 1)), b.recordOf(order("c", 1)), b.recordOf(order("d", 1)))
	b.wantEffects("b/1", "c/1")
	if n := o.Waiting()[0]; n != 1 {
		t.Errorf("%d records wait, want the one that is 3 above the first", n)
	}
	leave()
	if err := o.Handle(0); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "b/1", "c/1", "d/1")
	b.wantNext(4)
}

// The higher records have committed and the lowest has not when the process ends.
func TestACrashBeneathASettledRecordRepeatsAndLosesNoEffect(t *testing.T) {
	t.Parallel()
	for _, mode := range []consumer.Mode{consumer.Ordered, consumer.Unordered, consumer.Latest} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			slow := newSlowKey("a")
			run := func(handler consumer.Handler) func() error {
				return b.start(func(c *consumer.Config) {
					handlers(handler)(c)
					c.Subscriptions[0].Mode, c.DrainTimeout = mode, time.Millisecond
				})
			}
			b.send(order("a", 1))
			stop := run(slow.handle)
			<-slow.entered
			b.send(order("b", 1), order("b", 2), order("c", 1))
			b.wantEffects("b/1", "b/2", "c/1")
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if at := b.committed(); at > 0 {
				t.Fatalf("committed offset = %d, and the first record has no effect", at)
			}
			run(record)
			b.send(order("c", 2))
			b.wantNext(5)
			b.wantEffects("a/1", "b/1", "b/2", "c/1", "c/2")
		})
	}
}

// A tombstone has neither version nor id: repeated from above the offset that is
// stored, it would delete what came after it.
func TestATombstoneWaitsUntilAllBeforeItIsSettled(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	tombstone := &kgo.Record{Topic: orders, Key: []byte("b")}
	records := []*kgo.Record{b.recordOf(order("a", 1)), b.recordOf(order("b", 1)), tombstone, b.recordOf(order("b", 2)), b.recordOf(order("c", 1))}
	o, leave := b.besideFirst(consumer.Latest, records...)
	b.wantEffects("b/1")
	if n := o.Waiting()[0]; n != 3 {
		t.Errorf("%d records wait, want the tombstone and the two behind it", n)
	}
	leave()
	for range 3 {
		if err := o.Handle(0); err != nil {
			t.Fatal(err)
		}
	}
	b.wantEffects("a/1", "b/2", "c/1")
	b.wantNext(5)
}

// A tombstone has no tenant, and the events of a transaction are brought together
// by theirs: it came last then, whatever stood behind it.
func TestATombstoneDeletesNothingThatCameAfterIt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.sendRecords(b.recordOf(order("b", 1)), &kgo.Record{Topic: orders, Key: []byte("b")}, b.recordOf(order("b", 2)))
	b.start(func(c *consumer.Config) {
		c.Subscriptions[0].Mode = consumer.Latest
		c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": record, "": forget}
	})
	b.wantNext(3)
	b.wantEffects("b/2")
}

// The history of many keys through one partition, with handlers that fail, small
// chunks beside each other and members that come and go.
func TestTheEventsOfAKeyKeepTheirOrderBesideOthers(t *testing.T) {
	t.Parallel()
	const keys, versions = 12, 25
	b := setup(t, 1)
	var mu sync.Mutex
	failures := make(map[string]int)
	unlucky := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(m.EventID))
		mu.Lock()
		failures[m.EventID]++
		fails := hash.Sum32()%7 == 0 && failures[m.EventID] < 3
		mu.Unlock()
		if fails {
			return errors.New("not this time")
		}
		return record(ctx, tx, m)
	}
	start := func() func() error {
		return b.start(func(c *consumer.Config) {
			handlers(unlucky)(c)
			c.MaxChunkRecords, c.MaxQueuedRecords, c.MaxPartitionChunks, c.MaxConcurrentChunks = 4, 60, 4, 8
			c.InPlaceAttempts, c.Registerer, c.DrainTimeout = 100, nil, time.Millisecond
		})
	}
	stop := start()
	var want []string
	for v := range int64(versions) {
		var events []envelope.Raw
		for k := range keys {
			id := fmt.Sprintf("k%02d", k)
			events, want = append(events, order(id, v+1)), append(want, fmt.Sprintf("%s/%d", id, v+1))
		}
		b.send(events...)
		if v%8 == 7 {
			next := start()
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			stop = next
		}
		b.wantSettledBelowOffsets()
	}
	b.await("all events", func() (bool, any) {
		b.wantSettledBelowOffsets()
		n := len(b.effects())
		return n >= keys*versions, n
	})
	b.wantEffects(want...)
	b.wantNext(keys * versions)
	b.wantCommitted(keys * versions)
}

// wantSettledBelowOffsets fails where an offset has passed a record without
// effect.
func (b *bundle) wantSettledBelowOffsets() {
	b.t.Helper()
	committed := b.committed()
	const missing = `SELECT format('%s: %s of %s', $2::text, count(i.event_id), o.at)
		FROM (SELECT CASE $2 WHEN 'database' THEN next_offset ELSE $1::bigint END AS at FROM factline.consumer_offset) o
		LEFT JOIN factline.inbox i ON i."offset" < o.at AND i.state = 'DONE'
		GROUP BY o.at HAVING count(i.event_id) < o.at`
	passed := slices.Concat(query[string](b, missing, committed, "kafka"), query[string](b, missing, committed, "database"))
	if len(passed) > 0 {
		b.t.Fatalf("effects below the offset in %s", strings.Join(passed, ", "))
	}
}
