package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
)

// clock is the time of a test, which moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// chained gives the topic the usual retry chain and a clock of the test's.
func chained(c *clock, h consumer.Handler) func(*consumer.Config) {
	return func(cfg *consumer.Config) {
		handlers(h)(cfg)
		cfg.Now, cfg.InPlaceAttempts = c.now, 2
		cfg.Subscriptions[0].RetryTiers = []time.Duration{time.Minute, 15 * time.Minute, time.Hour}
	}
}

func with(changes ...func(*consumer.Config)) func(*consumer.Config) {
	return func(c *consumer.Config) {
		for _, change := range changes {
			change(c)
		}
	}
}

func mode(m consumer.Mode) func(*consumer.Config) {
	return func(c *consumer.Config) { c.Subscriptions[0].Mode = m }
}

// wantAttempts waits until the inbox counts so many of an event that is tried
// again.
func (b *bundle) wantAttempts(eventID string, n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("%d attempts of %s and its next pause", n, eventID), func() (bool, any) {
		got := query[string](b, `SELECT i.state || ' ' || i.attempts || ' ' || h.attempts FROM factline.inbox i
			JOIN factline.held_event h USING (consumer, event_id) WHERE event_id = $1`, eventID)
		return slices.Equal(got, []string{fmt.Sprintf("RETRYING %d %d", n, n)}), got
	})
}

func TestTheTopicOfATierIsNamedLikeItsPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pause time.Duration
		want  string
	}{
		{time.Minute, "1m"},
		{15 * time.Minute, "15m"},
		{20 * time.Minute, "20m"},
		{time.Hour, "1h"},
		{10 * time.Hour, "10h"},
		{90 * time.Minute, "1h30m"},
		{70 * time.Minute, "1h10m"},
		{time.Hour + 30*time.Second, "1h0m30s"},
		{90 * time.Second, "1m30s"},
		{70 * time.Second, "1m10s"},
		{10 * time.Second, "10s"},
		{100 * time.Millisecond, "100ms"},
	} {
		if got := consumer.TierName(tt.pause); got != tt.want {
			t.Errorf("%s is called %s, want %s", tt.pause, got, tt.want)
		}
	}
}

func TestTheWholeRetryChainEndsInTheDeadLetters(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, attempts := failing("evt_a_2", 1000, func(int64) error { return errors.New("price book not there yet") })
	b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1))
	b.start(chained(clk, h))
	b.wantEffects("a/1", "b/1")
	b.wantHeld("a/2 RETRY", "a/3 BLOCKED")
	b.wantCommitted(4)
	for tier, pause := range []time.Duration{time.Minute, 15 * time.Minute, time.Hour} {
		b.wantAttempts("evt_a_2", 2+tier)
		if due := one[time.Time](b, `SELECT due_at FROM factline.held_event WHERE reason = 'RETRY'`); !due.Equal(clk.now().Add(pause)) {
			t.Errorf("tier %d is due at %s, want %s after now", tier, due, pause)
		}
		if by := one[string](b, `SELECT reason || ' ' || event_id || ' ' || dead_letter_id FROM factline.blocked_key`); by != "RETRY evt_a_2 " {
			t.Errorf("the key is blocked by %q, want the event alone", by)
		}
		clk.add(pause)
	}
	d := b.deadLetter()
	if d.ErrorClass != consumer.HandlerFailed || d.AttemptCount != 5 {
		t.Errorf("dead letter = %s after %d, want HANDLER_FAILED after 5", d.ErrorClass, d.AttemptCount)
	}
	if n := attempts.Load(); n != 6 {
		t.Errorf("handler ran %d times, want once in the chunk and 5 attempts", n)
	}
	b.wantHeld("a/3 BLOCKED")
	if by := one[string](b, `SELECT reason FROM factline.blocked_key WHERE dead_letter_id <> ''`); by != "HANDLER_FAILED" {
		t.Errorf("the key is blocked by %s, want the dead letter", by)
	}
	topics := query[string](b, `SELECT topic FROM factline.outbox_event WHERE topic LIKE '%.retry.%' ORDER BY position`)
	slices.Sort(topics)
	if want := []string{"oms.order.events.retry.15m.v1", "oms.order.events.retry.1h.v1", "oms.order.events.retry.1m.v1"}; !slices.Equal(topics, want) {
		t.Errorf("records on %v, want one on each of %v", topics, want)
	}
}

func TestTheRecordOnARetryTopicIsTheOriginalWithItsHeaders(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 1000, func(int64) error { return errors.New("not yet") })
	sent := b.recordOf(order("a", 1))
	b.sendRecords(b.recordOf(order("b", 1)), sent)
	b.start(chained(clk, h))
	b.wantHeld("a/1 RETRY")
	value := one[[]byte](b, `SELECT value FROM factline.outbox_event WHERE topic = 'oms.order.events.retry.1m.v1' AND record_key = 'a'`)
	if string(value) != string(sent.Value) {
		t.Errorf("value = %s, want the bytes that were sent", value)
	}
	headers, err := envelope.DecodeHeaders(one[[]byte](b, `SELECT headers FROM factline.outbox_event WHERE topic LIKE '%.retry.1m.v1'`))
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]string{
		{"retry-group", group},
		{"retry-attempt", "2"},
		{"retry-due", "2026-07-02T09:01:00.000Z"},
		{"source-topic", orders},
		{"source-partition", "0"},
		{"source-offset", "1"},
	}
	for i, h := range headers[len(sent.Headers):] {
		if h.Key != want[i][0] || string(h.Value) != want[i][1] {
			t.Errorf("header %d = %s: %s, want %v", i, h.Key, h.Value, want[i])
		}
	}
	for i, h := range sent.Headers {
		if headers[i].Key != h.Key || string(headers[i].Value) != string(h.Value) {
			t.Errorf("header %d = %s: %s, want the original's %s", i, headers[i].Key, headers[i].Value, h.Key)
		}
	}
}

// Nine events of one key, the third of which fails three times, among fifty
// other keys; the group rebalances and restarts while it waits.
func TestARetriedEventKeepsItsKeyInOrderAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 2), newClock()
	var healed atomic.Bool
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.EventID == "evt_a_3" && !healed.Load() {
			return errors.New("not yet")
		}
		return record(ctx, tx, m)
	}
	var others []string
	for v := int64(1); v <= 9; v++ {
		b.send(order("a", v))
		for i := range 50 {
			r := b.recordOf(order(fmt.Sprintf("o%02d", i), v))
			r.Partition = int32(i % 2)
			b.sendRecords(r)
			others = append(others, fmt.Sprintf("o%02d/%d", i, v))
		}
	}
	stop := b.start(chained(clk, h))
	settled := func(n int) func() (bool, any) {
		return func() (bool, any) { got := len(b.effects()); return got == n, got }
	}
	b.await("all others applied, and the key up to the culprit", settled(450+2))
	b.wantAttempts("evt_a_3", 2)
	stopSecond := b.start(chained(clk, h)) // a rebalance
	b.await("the second member owning a partition", func() (bool, any) {
		n := strings.Count(b.logs.String(), "partition assigned")
		return n >= 3, n
	})
	clk.add(time.Minute)
	b.wantAttempts("evt_a_3", 3)
	healed.Store(true)
	for _, end := range []func() error{stop, stopSecond} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.effects()); n != 452 {
		t.Fatalf("%d effects, want nothing of the key past its culprit", n)
	}
	b.start(chained(clk, h))
	clk.add(15 * time.Minute)
	b.await("everything applied", settled(450+9))
	b.wantHeld()
	ofA := query[int64](b, `SELECT version FROM app.effect WHERE aggregate_id = 'a' ORDER BY seq`)
	if !slices.Equal(ofA, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("the key's effects = %v, want 1 to 9 in order", ofA)
	}
	got := query[string](b, `SELECT aggregate_id || '/' || version FROM app.effect WHERE aggregate_id <> 'a' ORDER BY 1`)
	if slices.Sort(others); !slices.Equal(got, others) {
		t.Error("the other keys' effects are not each of theirs once")
	}
	if n := one[int](b, `SELECT attempts FROM factline.inbox WHERE event_id = 'evt_a_3' AND state = 'DONE'`); n != 4 {
		t.Errorf("attempts = %d, want 3 failed and 1 that worked", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM factline.blocked_key`); n != 0 {
		t.Errorf("%d keys blocked, want none", n)
	}
}

// A record key may carry several aggregates, whose versions know nothing of each
// other: the key is what waits.
func TestAnotherAggregateOfTheKeyWaitsForTheRetryToo(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	note := b.recordOf(order("note", 1))
	note.Key = []byte("a")
	b.sendRecords(b.recordOf(order("a", 1)), note, b.recordOf(order("b", 1)))
	b.start(chained(clk, h))
	b.wantEffects("b/1")
	b.wantHeld("a/1 RETRY", "note/1 BLOCKED")
	clk.add(time.Minute)
	b.wantEffects("b/1", "a/1", "note/1")
}

func TestADependencyThatComesBackLeavesNoDeadLetter(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	var away atomic.Bool
	away.Store(true)
	b.send(order("a", 1), order("a", 2), order("b", 1))
	b.start(chained(clk, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if away.Load() {
			return consumer.RetryAfter(5*time.Minute, errors.New("503"))
		}
		return record(ctx, tx, m)
	}))
	b.wantHeld("a/1 RETRY", "a/2 BLOCKED", "b/1 RETRY")
	away.Store(false)
	clk.add(5 * time.Minute)
	b.await("all effects", func() (bool, any) { return len(b.effects()) == 3, b.effects() })
	b.wantHeld()
	if n := one[int64](b, `SELECT count(*) FROM factline.dead_letter`); n != 0 {
		t.Errorf("%d dead letters, want none of an outage", n)
	}
}

func TestRetryAfterSetsTheDueTimeAndUsesATier(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 1000, func(int64) error { return consumer.RetryAfter(10*time.Minute, errors.New("503")) })
	b.send(order("a", 1), order("b", 1))
	b.start(chained(clk, h))
	b.wantEffects("b/1")
	for attempt := 1; attempt <= 3; attempt++ {
		b.wantAttempts("evt_a_1", attempt)
		if due := one[time.Time](b, `SELECT due_at FROM factline.held_event`); !due.Equal(clk.now().Add(10 * time.Minute)) {
			t.Errorf("due at %s, want ten minutes from now", due)
		}
		clk.add(10 * time.Minute)
	}
	if d := b.deadLetter(); d.ErrorClass != consumer.DependencyExhausted || d.AttemptCount != 4 {
		t.Errorf("dead letter = %s after %d, want DEPENDENCY_EXHAUSTED after 4", d.ErrorClass, d.AttemptCount)
	}
}

// What is tried again used to be looked up only once all that was found before had
// ended: one handler that hung kept every later retry of its partition waiting.
func TestARetryThatHangsKeepsNoOtherFromBeingTried(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	clk, slow := newClock(), newSlowKey("a")
	var healed atomic.Bool
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if !healed.Load() {
			return errors.New("not yet")
		}
		return slow.handle(ctx, tx, m)
	}
	b.send(order("a", 1))
	b.start(with(chained(clk, h), func(c *consumer.Config) { c.InPlaceAttempts, c.MaxPartitionChunks = 1, 2 }))
	b.wantHeld("a/1 RETRY")
	b.send(order("b", 1))
	b.wantHeld("a/1 RETRY", "b/1 RETRY")
	if _, err := b.pool.Exec(t.Context(), `UPDATE factline.held_event SET due_at = due_at + interval '1 hour' WHERE aggregate_id = 'b'`); err != nil {
		t.Fatal(err)
	}
	healed.Store(true)
	clk.add(time.Minute)
	<-slow.entered
	clk.add(time.Hour)
	b.wantEffects("b/1")
	close(slow.leave)
	b.wantEffects("a/1", "b/1")
}

func TestAPermanentErrorInARetryIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 1000, func(attempt int64) error {
		if attempt <= 3 {
			return errors.New("not yet")
		}
		return consumer.Permanent(errors.New("never"))
	})
	b.send(order("a", 1))
	b.start(chained(clk, h))
	b.wantAttempts("evt_a_1", 2)
	clk.add(time.Minute)
	if d := b.deadLetter(); d.AttemptCount != 3 || d.ErrorMessage != "never" {
		t.Errorf("dead letter %q after %d, want the permanent error after 3", d.ErrorMessage, d.AttemptCount)
	}
}

func TestUnorderedParksTheFailingEventAlone(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	unordered := with(chained(clk, h), mode(consumer.Unordered))
	b.send(order("a", 1), order("a", 2), order("a", 3))
	stop := b.start(unordered)
	b.wantEffects("a/2", "a/3")
	b.wantHeld("a/1 RETRY")
	b.wantCommitted(3)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0) // the record comes again while it waits: it is not tried before its time
	b.start(unordered)
	b.send(order("a", 4))
	b.wantEffects("a/2", "a/3", "a/4")
	b.wantAttempts("evt_a_1", 2)
	clk.add(time.Minute)
	b.wantEffects("a/2", "a/3", "a/4", "a/1")
	b.wantHeld()
}

func TestLatestDropsARetryThatANewerVersionOvertook(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, attempts := failing("evt_a_1", 1000, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2))
	b.start(with(chained(clk, h), mode(consumer.Latest)))
	b.wantEffects("a/2")
	b.wantHeld("a/1 RETRY")
	before := attempts.Load()
	clk.add(time.Minute)
	b.wantHeld()
	if attempts.Load() != before || len(query[string](b, `SELECT state FROM factline.inbox WHERE event_id = 'evt_a_1'`)) != 0 {
		t.Error("the outdated event was tried again or left a trace, want it dropped like any outdated one")
	}
	b.send(order("a", 3))
	b.wantEffects("a/2", "a/3")
}

// Before, the retry brought back what the tombstone had deleted.
func TestATombstoneEndsTheRetriesOfWhatStoodBeforeIt(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	var healed atomic.Bool
	latest := with(chained(clk, nil), mode(consumer.Latest), func(c *consumer.Config) {
		c.Subscriptions[0].Handlers = map[string]consumer.Handler{"": forget, "OrderCaptured": func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if healed.Load() {
				return record(ctx, tx, m)
			}
			return errors.New("not yet")
		}}
	})
	b.send(order("a", 1), order("b", 1))
	b.sendRecords(&kgo.Record{Topic: orders, Key: []byte("a")})
	behind := b.recordOf(order("z", 1)) // it lives
	behind.Key = []byte("a")
	b.sendRecords(behind)
	stop := b.start(latest)
	b.wantNext(4)
	b.wantHeld("b/1 RETRY", "z/1 RETRY")
	healed.Store(true)
	clk.add(time.Minute)
	b.await("both retries", func() (bool, any) { return len(b.effects()) == 2, b.effects() })
	b.wantHeld()
	b.wantCommitted(4)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0) // the deleted event comes again, and its tombstone, which is known
	b.start(latest)
	b.send(order("c", 1))
	b.await("the record behind the rewind", func() (bool, any) { return len(b.effects()) == 3, b.effects() })
	if n := len(query[string](b, `SELECT event_id FROM app.effect WHERE event_id = 'evt_a_1'`)); n != 0 {
		t.Error("the event that was deleted took effect")
	}
}

// Before, the retry took the place of a record that stands behind it on the log.
func TestOfSeveralRecordsWithOneVersionTheLastWinsOverARetry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, poison string
		want         []string
	}{
		{"a retry of the first leaves the last", "evt_first", []string{"evt_last"}},
		{"a retry of the last takes the place of the first", "evt_last", []string{"evt_first", "evt_last"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, clk := setup(t, 1), newClock()
			h, _ := failing(tt.poison, 3, func(int64) error { return errors.New("not yet") })
			first, last := order("a", 5), order("a", 5)
			first.EventID, last.EventID = "evt_first", "evt_last"
			b.send(first, last)
			latest := with(chained(clk, h), mode(consumer.Latest))
			stop := b.start(latest)
			b.wantHeld("a/5 RETRY")
			b.wantNext(2)
			clk.add(time.Minute)
			b.wantHeld()
			b.wantCommitted(2)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			b.rewindGroup(0) // and both come again
			b.start(latest)
			b.send(order("b", 1))
			b.wantNext(3)
			if got := query[string](b, `SELECT event_id FROM app.effect WHERE aggregate_id = 'a' ORDER BY seq`); !slices.Equal(got, tt.want) {
				t.Errorf("effects = %v, want %v", got, tt.want)
			}
			if by := one[string](b, `SELECT event_id FROM factline.gate WHERE aggregate_id = 'a'`); by != "evt_last" {
				t.Errorf("the gate has %s, want evt_last", by)
			}
		})
	}
}

func TestWhereTheContractContinuesTheKeyWaitsForTheRetriesAlone(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 1000, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2), order("b", 1))
	b.start(with(chained(clk, h), func(c *consumer.Config) { c.Contracts = continuing{} }))
	b.wantEffects("b/1")
	b.wantHeld("a/1 RETRY", "a/2 BLOCKED")
	for tier, pause := range []time.Duration{time.Minute, 15 * time.Minute, time.Hour} {
		b.wantAttempts("evt_a_1", 2+tier)
		clk.add(pause)
	}
	b.wantEffects("b/1", "a/2")
	if n := one[int64](b, `SELECT count(*) FROM factline.blocked_key`); n != 0 {
		t.Errorf("%d keys blocked, want none", n)
	}
}

// A successor may fail as well: it goes through its own chain, and what is
// behind it goes on waiting.
func TestASuccessorThatFailsGoesThroughItsOwnChain(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	first, _ := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	second, _ := failing("evt_a_2", 3, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2), order("a", 3))
	b.start(chained(clk, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateVersion == 1 {
			return first(ctx, tx, m)
		}
		return second(ctx, tx, m)
	}))
	b.wantAttempts("evt_a_1", 2)
	clk.add(time.Minute)
	b.wantEffects("a/1")
	b.wantHeld("a/2 RETRY", "a/3 BLOCKED")
	clk.add(time.Minute)
	b.wantEffects("a/1", "a/2", "a/3")
	b.wantHeld()
}

// An earlier version that fails takes the block over from a dead letter behind
// it, and hands it back.
func TestABlockOutlivesTheRetryBeforeIt(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	b.send(bad(order("a", 3)), order("a", 4), order("a", 1), order("a", 2))
	b.start(chained(clk, h))
	b.wantHeld("a/4 BLOCKED", "a/1 RETRY", "a/2 BLOCKED")
	clk.add(time.Minute)
	b.wantEffects("a/1", "a/2")
	b.wantHeld("a/4 BLOCKED")
	if by := query[string](b, `SELECT event_id FROM factline.blocked_key`); !slices.Equal(by, []string{"evt_a_3"}) {
		t.Errorf("blocked by %v, want the dead letter", by)
	}
}

func TestSeveralInstancesTryAnEventAgainOnce(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, attempts := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2))
	b.start(chained(clk, h))
	b.wantAttempts("evt_a_1", 2)
	clk.add(time.Minute)
	cfg := b.cfg
	cfg.Subscriptions = slices.Clone(cfg.Subscriptions)
	chained(clk, h)(&cfg)
	cfg.Registerer = nil
	runner, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var owners sync.WaitGroup
	for range 3 { // members that believe they own the partition too
		owners.Go(func() {
			if err := runner.TryAgain(t.Context(), orders, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
	owners.Wait()
	b.wantEffects("a/1", "a/2")
	if n := attempts.Load(); n < 4 {
		t.Errorf("handler ran %d times, want the chunk, two in place and one of the tier at least", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM app.effect`); n != 2 {
		t.Errorf("%d effects, want each once", n)
	}
}

// Before, an attempt was counted before its owner had the partition's lock, and
// another owner that came between took it for one that died.
func TestAnAttemptIsCountedUnderThePartitionsLock(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, _ := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2))
	b.start(chained(clk, h))
	b.wantAttempts("evt_a_1", 2)
	b.wantHeld("a/1 RETRY", "a/2 BLOCKED")
	b.execute(`CREATE TABLE app.seen (locked boolean);
		CREATE FUNCTION app.look() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM FROM factline.consumer_offset FOR UPDATE NOWAIT;
			INSERT INTO app.seen VALUES (false);
			RETURN NULL;
		EXCEPTION WHEN lock_not_available THEN
			INSERT INTO app.seen VALUES (true);
			RETURN NULL;
		END $$;
		CREATE TRIGGER look AFTER UPDATE ON factline.inbox FOR EACH ROW WHEN (NEW.state = 'RETRYING') EXECUTE FUNCTION app.look()`)
	clk.add(time.Minute)
	b.wantEffects("a/1", "a/2")
	if seen := query[bool](b, `SELECT locked FROM app.seen`); !slices.Equal(seen, []bool{true}) {
		t.Errorf("locked when the attempt was counted: %v, want once and true", seen)
	}
}

func TestAShutdownDuringARetryUsesNoAttempt(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	entered := make(chan struct{})
	var runs atomic.Int64
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		switch runs.Add(1) {
		case 1, 2, 3:
			return errors.New("not yet")
		case 4:
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}
		return record(ctx, tx, m)
	}
	b.send(order("a", 1))
	stop := b.start(with(chained(clk, h), func(c *consumer.Config) { c.DrainTimeout = time.Millisecond }))
	b.wantAttempts("evt_a_1", 2)
	clk.add(time.Minute)
	<-entered
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.wantAttempts("evt_a_1", 2)
	b.start(chained(clk, h))
	b.wantEffects("a/1")
	if n := one[int](b, `SELECT attempts FROM factline.inbox`); n != 3 {
		t.Errorf("attempts = %d, want 2 failed and 1 that worked", n)
	}
}

// The process is killed around each commit of a chain, before the server has it
// and after, and another one goes on.
func TestAKillAroundEachWriteOfTheChainLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		for nth := int64(1); nth <= 4; nth++ { // park, park again, apply, release
			t.Run(fmt.Sprintf("commit %d, reaching the server %v", nth, !before), func(t *testing.T) {
				t.Parallel()
				b, clk := setup(t, 1), newClock()
				proxy := newProxy(t, b.dsn())
				killed := proxy.killAt(nth, before)
				h, _ := failing("evt_a_2", 4, func(int64) error { return errors.New("not yet") })
				b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1), order("a", 4))
				stop := b.start(with(chained(clk, h), func(c *consumer.Config) {
					c.Pool, c.DrainTimeout = proxy.pool(t), time.Millisecond
				}))
				go func() {
					<-killed
					_ = stop()
				}()
				b.await("the kill, or the end", func() (bool, any) {
					clk.add(time.Minute)
					select {
					case <-killed:
						return true, nil
					default:
						return len(b.effects()) == 5, b.effects()
					}
				})
				_ = stop()
				select {
				case <-killed:
				default:
					t.Fatal("the chain has fewer commits, nothing was killed")
				}
				b.start(chained(clk, h))
				b.await("all effects", func() (bool, any) {
					clk.add(time.Minute)
					return len(b.effects()) == 5, b.effects()
				})
				b.wantHeld()
				ofA := query[int64](b, `SELECT version FROM app.effect WHERE aggregate_id = 'a' ORDER BY seq`)
				if !slices.Equal(ofA, []int64{1, 2, 3, 4}) {
					t.Errorf("the key's effects = %v, want 1 to 4 in order", ofA)
				}
				if n := one[int64](b, `SELECT (SELECT count(*) FROM factline.blocked_key) + (SELECT count(*) FROM factline.dead_letter)`); n != 0 {
					t.Errorf("%d keys blocked and dead letters, want none", n)
				}
				for _, topic := range query[string](b, `SELECT topic || ' ' || count(*) FROM factline.outbox_event GROUP BY topic`) {
					if !strings.HasSuffix(topic, " 1") {
						t.Errorf("%s records, want one of each tier", topic)
					}
				}
			})
		}
	}
}

func TestARewoundGroupSeesAParkedEventAsADuplicate(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	h, attempts := failing("evt_a_1", 3, func(int64) error { return errors.New("not yet") })
	b.send(order("a", 1), order("a", 2))
	stop := b.start(chained(clk, h))
	b.wantHeld("a/1 RETRY", "a/2 BLOCKED")
	b.wantCommitted(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0)
	before := attempts.Load()
	b.start(chained(clk, h))
	b.sendRecords(&kgo.Record{Topic: orders, Key: []byte("c"), Value: b.recordOf(order("c", 1)).Value})
	b.wantEffects("c/1")
	b.wantHeld("a/1 RETRY", "a/2 BLOCKED")
	if attempts.Load() != before {
		t.Error("the record was handled although its event waits for its pause")
	}
	clk.add(time.Minute)
	b.wantEffects("c/1", "a/1", "a/2")
}
