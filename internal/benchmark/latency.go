package benchmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"factline.dev/envelope"
	"factline.dev/outbox"
)

func (b *Bench) latencySubjects() []subject {
	var all []subject
	for _, rate := range []int{100, 1000} {
		for _, wake := range []bool{false, true} {
			name := fmt.Sprintf("polling_%d", rate)
			if wake {
				name = fmt.Sprintf("wakeup_%d", rate)
			}
			all = append(all, subject{name, func(ctx context.Context, events int) ([]measure, error) {
				return b.latency(ctx, name, rate, wake, b.latencyEvents(rate, events))
			}})
		}
	}
	all = append(all, subject{"saturated", b.saturated})
	for _, rate := range acceptRates() {
		all = append(all, subject{fmt.Sprintf("accept_%d", rate), func(ctx context.Context, events int) ([]measure, error) {
			return b.accept(ctx, rate, events)
		}})
	}
	return all
}

// latencyEvents holds the rate for LatencySeconds, a short while in the warm-up
// and in small runs.
func (b *Bench) latencyEvents(rate, events int) int {
	if events < b.cfg.Events {
		return rate
	}
	return min(rate*b.cfg.LatencySeconds, max(events, rate))
}

// latency inserts events at a steady rate and takes the time from each insert
// to the commit of its effect in the consumer's database.
func (b *Bench) latency(ctx context.Context, name string, rate int, wake bool, events int) ([]measure, error) {
	from, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer from.close()
	l := &latencyRun{from: from, workload: newWorkload(events), rate: rate, wake: wake}
	if err := b.timeEffects(ctx, l); err != nil {
		return nil, err
	}
	return l.measures(name), nil
}

// timeEffects does a run, with a consumer in a database of its own.
func (b *Bench) timeEffects(ctx context.Context, l *latencyRun) (err error) {
	if l.to, err = b.newSite(ctx); err != nil {
		return err
	}
	defer l.to.close()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if err := WhileRunning(ctx, l.both, l.drive); err != nil {
		return err
	}
	return checkTable(ctx, l.to.pool, l.workload.counts())
}

// saturatedShare is what part of Events a saturated run has.
const saturatedShare = 10

// saturated inserts as fast as the writers can: there are no more events a second
// in this machine, and each waits for the others.
func (b *Bench) saturated(ctx context.Context, events int) ([]measure, error) {
	from, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer from.close()
	l := &latencyRun{from: from, workload: newWorkload(events / saturatedShare), wake: true}
	if err := b.timeEffects(ctx, l); err != nil {
		return nil, err
	}
	rate := measure{
		subject: "saturated", unit: "events/s", value: float64(l.workload.len()) / l.took.Seconds(), events: l.workload.len(),
		about: fmt.Sprintf("%d connections insert an event a transaction in a closed loop, and each is consumed", writers),
	}
	return append([]measure{rate}, l.measures("saturated")...), nil
}

type latencyRun struct {
	from, to *site
	workload *workload
	// rate is how many a second are inserted, 0 as many as writers can.
	rate   int
	wake   bool
	outbox *outbox.Outbox
	both   func(context.Context) error
	seen   *times
	// timed says which events are. Nil times all.
	timed func(i int) bool
	sent  atomic.Int64
	// took is from the first insert to the last effect.
	took time.Duration
}

func (l *latencyRun) prepare(ctx context.Context) error {
	l.seen = newTimes(l.workload.len())
	relay, err := l.relay()
	if err != nil {
		return err
	}
	runner, err := newRunner(l.to.pool, l.to.addrs, l.from.topic, variant{group: "projection-service.latency.consumer"}, l.seen)
	if err != nil {
		return err
	}
	l.both = func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return relay.Run(ctx) })
		group.Go(func() error { return runner.Run(ctx) })
		return group.Wait()
	}
	return nil
}

func (l *latencyRun) relay() (relay *outbox.Relay, err error) {
	l.outbox, err = outbox.New(outbox.Config{Contracts: routes{l.from.topic}, Producer: producer})
	if err != nil {
		return nil, err
	}
	cfg := outbox.RelayConfig{Pool: l.from.pool, Brokers: l.from.addrs, Instance: "bench"}
	if l.wake {
		cfg.Outbox = l.outbox
	}
	return outbox.NewRelay(cfg)
}

const writers = 16

// drive is an open loop: a slow system does not slow its load down.
func (l *latencyRun) drive(ctx context.Context) error {
	group, inserting := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	start := time.Now()
	for i := range l.workload.ids {
		if l.rate > 0 {
			due := start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
			if err := sleepUntil(inserting, due); err != nil {
				return errors.Join(err, group.Wait())
			}
		}
		l.sent.Add(1)
		group.Go(func() error { return l.insert(inserting, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	err := l.seen.await(ctx)
	l.took = time.Since(start)
	return err
}

func sleepUntil(ctx context.Context, due time.Time) error {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (l *latencyRun) insert(ctx context.Context, i int) error {
	ctx = envelope.WithCause(ctx, l.workload.cause(i))
	err := pgx.BeginFunc(ctx, l.from.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement("business"), l.workload.orders[i]%aggregates, "changed"); err != nil {
			return err
		}
		e := l.workload.event(i)
		if l.timed == nil || l.timed(i) {
			l.seen.inserted(e.ID)
		}
		return l.outbox.Append(ctx, tx, e)
	})
	if l.wake && err == nil {
		l.outbox.Wake()
	}
	return err
}

func (l *latencyRun) measures(name string) []measure {
	how := fmt.Sprintf("at %d/s, polling alone", l.rate)
	switch {
	case l.rate == 0:
		how = "at saturation"
	case l.wake:
		how = fmt.Sprintf("at %d/s, with Outbox.Wake after the commit", l.rate)
	}
	sorted := l.seen.sorted()
	var all []measure
	for _, p := range []int{50, 99} {
		all = append(all, measure{
			subject: fmt.Sprintf("%s_p%d", name, p), unit: "ms", events: len(sorted),
			value: milliseconds(percentile(sorted, p)),
			about: fmt.Sprintf("insert to effect committed %s, %d th percentile", how, p),
		})
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// times notes when each event was inserted and when its effect had committed.
// It is a hook of the consumer.
type times struct {
	mu    sync.Mutex
	start map[string]time.Time
	took  map[string]time.Duration
	want  int
	done  chan struct{}
}

func newTimes(want int) *times {
	return &times{start: map[string]time.Time{}, took: map[string]time.Duration{}, want: want, done: make(chan struct{})}
}

func (t *times) inserted(eventID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start[eventID] = time.Now()
}

// AfterEffect takes the time of the first effect of an event that is timed.
func (t *times) AfterEffect(_, eventID string) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	start, timed := t.start[eventID]
	if _, known := t.took[eventID]; known || !timed {
		return
	}
	t.took[eventID] = now.Sub(start)
	if len(t.took) == t.want {
		close(t.done)
	}
}

// patience is far above any latency worth reporting.
const patience = 5 * time.Minute

func (t *times) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		return fmt.Errorf("%d of %d events have no effect: %w", t.want-len(t.took), t.want, ctx.Err())
	}
}

// sorted leaves the first tenth out: connections open there.
func (t *times) sorted() []time.Duration {
	type one struct {
		at   time.Time
		took time.Duration
	}
	var all []one
	for id, took := range t.took {
		all = append(all, one{t.start[id], took})
	}
	slices.SortFunc(all, func(a, b one) int { return a.at.Compare(b.at) })
	var sorted []time.Duration
	for _, o := range all[len(all)/10:] {
		sorted = append(sorted, o.took)
	}
	slices.Sort(sorted)
	return sorted
}
