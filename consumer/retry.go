package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

// countTimeout bounds the wait for a connection to count by.
const countTimeout = 5 * time.Second

// fewRecords are not worth another transaction together.
const fewRecords = 8

// inHalves repeats in smaller parts what failed through a handler, so that the
// culprit is found and everything around it goes on in few transactions.
func (p *partition) inHalves(all *share) error {
	if len(all.items) <= fewRecords {
		return p.oneByOne(all, false)
	}
	for _, w := range all.release {
		if err := p.settleHeld(all, w, false); err != nil {
			return err
		}
	}
	half := len(all.items) / 2
	for _, items := range [][]item{all.items[:half], all.items[half:]} {
		if err := p.half(all.part(items)); err != nil {
			return err
		}
	}
	return nil
}

func (p *partition) half(half *share) error {
	done, err := p.attempt(p.s.r.newChunk(p.topic, -1, half), func() {})
	if _, failed := errors.AsType[*handlerError](err); failed {
		return p.inHalves(half)
	}
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

// oneByOne repeats a chunk that failed through a handler record by record, each
// in a transaction of its own, so that the culprit is known and alone.
func (p *partition) oneByOne(all *share, careful bool) error {
	for _, w := range all.release {
		if err := p.settleHeld(all, w, careful); err != nil {
			return err
		}
	}
	for i := range all.items {
		c := p.s.r.newChunk(p.topic, 0, all.part(all.items[i:i+1]))
		c.careful = careful
		done, err := p.settle(c)
		if err != nil {
			return err
		}
		for _, a := range done.more {
			if err := p.settleHeld(all, inbox.Waiter{Aggregate: a}, careful); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleHeld goes through the due held events of an aggregate, one a
// transaction.
func (p *partition) settleHeld(of *share, w inbox.Waiter, careful bool) error {
	for {
		c := p.s.r.newChunk(p.topic, 1, of.part(nil, w))
		c.careful = careful
		done, err := p.settle(c)
		if err != nil {
			return err
		}
		if len(done.more) == 0 {
			return nil
		}
	}
}

// settle runs a chunk of one event until the event is applied, kept for later or
// given up.
func (p *partition) settle(c *chunk) (*run, error) {
	for memory := 1; ; memory++ {
		done, err := p.attempt(c, func() {})
		var failed *handlerError
		if !errors.As(err, &failed) {
			if err != nil {
				p.uncount(c)
			}
			return done, err
		}
		if err := p.failed(c, failed, memory); err != nil {
			return nil, err
		}
	}
}

// begin counts, in a careful chunk, the attempt that its transaction is about to
// make: one that takes the process down with it must be known to the next. It
// counts by another connection, so that the count stays whatever becomes of this
// transaction, and under this one's lock of the partition: an attempt that another
// owner finds counted has come to its end. One that is found unfinished died.
func (r *run) begin(ctx context.Context, tx pgx.Tx) error {
	at := slices.IndexFunc(r.plan.Steps, func(s inbox.Step) bool { return s.Verdict == inbox.Apply })
	if !r.careful || r.counted > 0 || at < 0 {
		return nil
	}
	it := &r.items[r.plan.Steps[at].Event]
	r.culprit, r.tried = it, true
	begun, err := inbox.Attempts(ctx, tx, r.scope.Consumer, it.attemptID())
	if err != nil {
		return err
	}
	if it.event.Due && begun > it.retry.Attempts || !it.event.Due && begun >= r.r.cfg.InPlaceAttempts {
		r.counted, r.applied = begun, []*item{it}
		return &handlerError{err: errDied}
	}
	// Where chunks have taken every connection this one gives up its own.
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	r.counted, _, err = inbox.CountAttempt(ctx, r.r.cfg.Pool, r.scope, it.counted(), it.msg.Offset, r.now)
	r.changes.Counted = r.counted > 0
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fmt.Errorf("consumer: count an attempt of %s: not done within %s by a connection of its own, of %d; give the pool more, or lower MaxConcurrentChunks: %w",
			it.event.EventID, countTimeout, r.r.cfg.Pool.Config().MaxConns, err)
	}
	return err
}

// uncount takes back an attempt that ended for a reason of its own, a shutdown
// as a rule. Where that fails the attempt stays counted.
func (p *partition) uncount(c *chunk) {
	if c.counted == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), time.Second)
	defer cancel()
	r, it := p.s.r, c.culprit
	if err := inbox.UncountAttempt(ctx, r.cfg.Pool, r.cfg.Group, it.attemptID(), c.counted); err != nil {
		r.logEvent(slog.LevelWarn, it, "an attempt that did not end stays counted", "attempt", c.counted, "error", err.Error())
	}
}

// failed counts a failed attempt where a crash does not forget it, and either
// waits for the next one or decides what the next run of the chunk does with
// the event.
func (p *partition) failed(c *chunk, cause error, memory int) error {
	attempts := c.counted
	if c.counted = 0; attempts == 0 {
		var err error
		if attempts, err = p.countAttempt(c, c.culprit, memory); err != nil {
			return err
		}
	}
	return p.failedAfter(c, cause, attempts)
}

func (p *partition) failedAfter(c *chunk, cause error, attempts int) error {
	r, it := p.s.r, c.culprit
	r.metrics.events.WithLabelValues(r.cfg.Group, c.scope.Topic, r.typeLabel(c.topic, it), outcomeFailed).Inc()
	gone, later := r.afterFailure(c.topic, it, cause, attempts)
	switch {
	case gone != nil:
		c.condemn(it, gone)
		return nil
	case later != nil:
		c.postpone(it, later)
		return nil
	}
	wait := backoff(r.cfg.BackoffMin, r.cfg.BackoffMax, attempts)
	if d, ok := RetryDelay(cause); ok {
		wait = d
	}
	r.metrics.retries.WithLabelValues(r.cfg.Group, c.scope.Topic, "handler").Inc()
	r.logEvent(slog.LevelWarn, it, "handler failed, another attempt follows", "attempt", attempts, "wait", wait, "error", firstLine(cause.Error()))
	return p.sleep(wait)
}

// countAttempt retries until the database answers: an attempt that is not
// counted would make a crashing handler run for ever.
func (p *partition) countAttempt(c *chunk, it *item, memory int) (int, error) {
	c.tried = true
	for failures := 1; ; failures++ {
		attempts, settled, err := inbox.CountAttempt(p.ctx, p.s.r.cfg.Pool, c.scope, it.counted(), it.msg.Offset, p.s.r.cfg.Now())
		if err == nil && settled {
			return memory, nil // the other owner was faster: the next run finds a duplicate
		}
		if err == nil {
			return attempts, nil
		}
		p.s.r.cfg.Logger.Warn("attempt not counted yet", "event_id", it.event.EventID, "error", err.Error())
		if err := p.sleep(p.s.r.outagePause(failures)); err != nil {
			return 0, err
		}
	}
}

// counted is the event as its attempts are counted.
func (it *item) counted() *inbox.Event {
	event := it.event
	event.EventID = it.attemptID()
	return &event
}

// failedIn remembers which event a failed run was handling.
func (c *chunk) failedIn(failed *run) {
	c.culprit = nil
	if failed != nil && len(failed.applied) > 0 {
		c.culprit = failed.applied[0]
	}
}

func (c *chunk) condemn(it *item, f *fault) {
	if c.condemned == nil {
		c.condemned = make(map[string]*fault)
	}
	c.condemned[it.event.EventID] = f
	if it.event.Tombstone {
		it.fault, it.event.Fault = f, inbox.Unreadable
		c.records[0].fault, c.records[0].event.Fault = f, inbox.Unreadable
	}
}

// postpone makes the next run keep an event for a later attempt.
func (c *chunk) postpone(it *item, later *pause) {
	c.paused = map[string]*pause{it.event.EventID: later}
}
