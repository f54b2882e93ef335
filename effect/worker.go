package effect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/envelope"
)

// Worker makes the stored calls of one name. Several may run on one database,
// in one process or in many; they share the calls. Make one with [NewWorker].
type Worker struct {
	cfg     WorkerConfig
	name    string
	store   *store
	metrics *metrics
}

const (
	// recordGrace is how long interrupted calls may still record their outcome.
	recordGrace = 5 * time.Second
	// statementTimeout bounds a statement outside a call.
	statementTimeout = 30 * time.Second
	// minPatience is time enough to connect and record.
	minPatience = 100 * time.Millisecond
)

// NewWorker returns a worker. It touches neither database nor network; its
// error lists every problem of cfg.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("effect: check worker configuration: %w", err)
	}
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("effect: register worker metrics: %w", err)
	}
	host, _ := os.Hostname()
	owner := fmt.Sprintf("%s-%d/%s", host, os.Getpid(), envelope.NewID())
	name := cfg.Caller.name
	cfg.Logger = cfg.Logger.With("name", name)
	return &Worker{
		cfg: cfg, name: name, metrics: metrics,
		store: &store{pool: cfg.Pool, name: name, owner: owner, lease: cfg.LeaseTTL},
	}, nil
}

// Run makes calls until ctx is cancelled, then waits up to DrainTimeout for
// those in flight, gives the interrupted ones back and returns nil. It rides out
// outages of database and provider; it returns an error only where it can never
// work, such as a database without the tables, or a replay.
func (w *Worker) Run(ctx context.Context) error {
	if _, closed := replayFrom(ctx); closed {
		return fmt.Errorf("effect: run the worker of %s: this is a replay, in which no call is made; run it with a context of its own", w.name)
	}
	if err := w.store.check(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var group errgroup.Group
	group.Go(func() error { w.work(ctx); return nil })
	group.Go(func() error { w.observe(ctx); return nil })
	group.Go(func() error { w.deleteOld(ctx); return nil })
	return group.Wait()
}

// flight is the calls that are being made.
type flight struct {
	// calls ends when calls are to be interrupted, records a little later.
	calls, records context.Context
	done           chan struct{}
	running        int
}

// take starts a flight whose contexts outlive ctx by the drain. The returned
// function releases them.
func (w *Worker) take(ctx context.Context) (*flight, func()) {
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	records, stopRecords := context.WithCancel(context.WithoutCancel(ctx))
	stopWaiting := context.AfterFunc(ctx, func() {
		if pause(records, w.cfg.DrainTimeout) {
			stopCalls()
		}
		if pause(records, recordGrace) {
			stopRecords()
		}
	})
	f := &flight{calls: calls, records: records, done: make(chan struct{}, w.cfg.Concurrency)}
	return f, func() { stopWaiting(); stopCalls(); stopRecords() }
}

// work claims as many calls as there is room for and makes each in a goroutine
// of its own.
func (w *Worker) work(ctx context.Context) {
	f, end := w.take(ctx)
	defer end()
	for failures := 0; ctx.Err() == nil; {
		claimed, err := w.claim(f)
		for _, c := range claimed {
			f.running++
			go func() {
				defer func() { f.done <- struct{}{} }()
				w.handle(ctx, f, c)
			}()
		}
		wait := w.cfg.PollInterval
		if err != nil {
			wait = backoff(failures, w.cfg.PollInterval, max(w.cfg.PollInterval, 5*time.Second))
			failures++
		} else {
			failures = 0
		}
		w.await(ctx, f, wait)
	}
	for ; f.running > 0; f.running-- {
		<-f.done
	}
}

// claim leaves its context to the drain: a claim that was cut off would have
// counted an attempt that nobody makes.
func (w *Worker) claim(f *flight) ([]*claimed, error) {
	room := w.cfg.Concurrency - f.running
	if room == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(f.records, statementTimeout)
	defer cancel()
	claimed, err := w.store.claim(ctx, room)
	if err != nil {
		w.metrics.failures.WithLabelValues(w.name, "claim").Inc()
		w.cfg.Logger.Warn("calls are not claimed; they wait in the database", "error", err.Error())
	}
	return claimed, err
}

// await returns when there may be something to claim: a call has ended, which
// may let its successor go, somebody stored one, or the pause is over.
func (w *Worker) await(ctx context.Context, f *flight, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	woken, poll := w.cfg.Caller.woken, timer.C
	if f.running == w.cfg.Concurrency {
		woken, poll = nil, nil
	}
	select {
	case <-f.done:
		f.running--
	case <-woken:
	case <-poll:
	case <-ctx.Done():
	}
}

func (w *Worker) observe(ctx context.Context) {
	w.every(ctx, 5*time.Second, "status", func(ctx context.Context) error {
		found, err := w.store.status(ctx)
		if err == nil {
			w.metrics.observe(w.name, found)
		}
		return err
	})
}

func (w *Worker) deleteOld(ctx context.Context) {
	if w.cfg.Retention < 0 {
		return
	}
	w.every(ctx, time.Hour, "delete", func(ctx context.Context) error {
		return w.store.deleteOld(ctx, w.cfg.Retention)
	})
}

// every runs do at the start and after each interval, until ctx ends.
func (w *Worker) every(ctx context.Context, interval time.Duration, step string, do func(context.Context) error) {
	for {
		limited, cancel := context.WithTimeout(ctx, statementTimeout)
		err := do(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			w.metrics.failures.WithLabelValues(w.name, step).Inc()
			w.cfg.Logger.Warn("housekeeping of calls failed; it is tried again", "step", step, "error", err.Error())
		}
		if !pause(ctx, interval) {
			return
		}
	}
}

// pause waits for d and reports whether it passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff returns the pause before retry n, counted from 0: it doubles from
// first up to most and spreads by a quarter either way, so that many waiters do
// not come back together.
func backoff(n int, first, most time.Duration) time.Duration {
	d := most
	if n < 20 {
		d = min(first<<n, most)
	}
	return d*3/4 + rand.N(d/2+1)
}
