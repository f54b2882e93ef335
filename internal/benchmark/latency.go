package benchmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	to, err := b.newSite(ctx) // the consumer's own database
	if err != nil {
		return nil, err
	}
	defer to.close()
	l := &latencyRun{from: from, to: to, workload: newWorkload(events), rate: rate, wake: wake, seen: newTimes(events)}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	err = WhileRunning(ctx, l.both, func(ctx context.Context) error { return l.drive(ctx) })
	if err != nil {
		return nil, err
	}
	if err := checkTable(ctx, to.pool, l.workload.counts()); err != nil {
		return nil, err
	}
	return l.measures(name), nil
}

type latencyRun struct {
	from, to *site
	workload *workload
	rate     int
	wake     bool
	outbox   *outbox.Outbox
	both     func(context.Context) error
	seen     *times
}

func (l *latencyRun) prepare(ctx context.Context) (err error) {
	l.outbox, err = outbox.New(outbox.Config{Contracts: routes{l.from.topic}, Producer: producer})
	if err != nil {
		return err
	}
	cfg := outbox.RelayConfig{Pool: l.from.pool, Brokers: l.from.addrs, Instance: "bench"}
	if l.wake {
		cfg.Outbox = l.outbox
	}
	relay, err := outbox.NewRelay(cfg)
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

const writers = 16

// drive is an open loop: a slow system does not slow its load down.
func (l *latencyRun) drive(ctx context.Context) error {
	group, inserting := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	start := time.Now()
	for i := range l.workload.ids {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
		if err := sleepUntil(inserting, due); err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return l.insert(inserting, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return l.seen.await(ctx)
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
		if _, err := tx.Exec(ctx, statement("business"), l.workload.orders[i], "changed"); err != nil {
			return err
		}
		e := l.workload.event(i)
		l.seen.inserted(e.ID)
		return l.outbox.Append(ctx, tx, e)
	})
	if l.wake && err == nil {
		l.outbox.Wake()
	}
	return err
}

func (l *latencyRun) measures(name string) []measure {
	how := "polling alone"
	if l.wake {
		how = "with Outbox.Wake after the commit"
	}
	sorted := l.seen.sorted()
	var all []measure
	for _, p := range []int{50, 99} {
		all = append(all, measure{
			subject: fmt.Sprintf("%s_p%d", name, p), unit: "ms", events: len(sorted),
			value: float64(percentile(sorted, p).Microseconds()) / 1000,
			about: fmt.Sprintf("insert to effect committed at %d/s, %s, %d th percentile", l.rate, how, p),
		})
	}
	return all
}

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

// AfterEffect takes the time of an event's first effect.
func (t *times) AfterEffect(_, eventID string) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.took[eventID]; known {
		return
	}
	t.took[eventID] = now.Sub(t.start[eventID])
	if len(t.took) == t.want {
		close(t.done)
	}
}

// patience is far above any latency worth reporting.
const patience = time.Minute

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
