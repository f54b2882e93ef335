package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

// countTimeout bounds the wait for a connection to count or to mark by.
const countTimeout = 5 * time.Second

// fewRecords are not worth to be halved: a savepoint each finds all that fail. As many
// held events go with them.
const fewRecords = 64

// inHalves repeats in smaller parts what failed through a handler, so that the
// culprits are found and everything around them goes on in few transactions.
func (p *partition) inHalves(all *share) error {
	if len(all.items) <= fewRecords {
		return p.eachApart(all)
	}
	for _, w := range all.release {
		if err := p.settleHeld(all, w, &chunk{}); err != nil {
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

// eachApart settles what is few in one transaction with a savepoint for each event.
// Where it fails at its end nobody knows through whom, and each has its own.
func (p *partition) eachApart(all *share) error {
	c := p.s.r.newChunk(p.topic, fewRecords, all.part(all.items, all.release...))
	c.apart = true
	done, err := p.settle(c)
	if isHandlers(err) {
		return p.oneByOne(all, c)
	}
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

func (p *partition) half(half *share) error {
	done, err := p.attempt(p.s.r.newChunk(p.topic, -1, half), func() {})
	if isHandlers(err) {
		return p.inHalves(half)
	}
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

// oneByOne repeats a chunk that failed through a handler record by record, each
// in a transaction of its own, so that the culprit is known and alone.
func (p *partition) oneByOne(all *share, like *chunk) error {
	for _, w := range all.release {
		if err := p.settleHeld(all, w, like); err != nil {
			return err
		}
	}
	for i := range all.items {
		done, err := p.settle(p.newLike(like, 0, all.part(all.items[i:i+1])))
		if err != nil {
			return err
		}
		for _, a := range done.more {
			if err := p.settleHeld(all, inbox.Waiter{Aggregate: a}, like); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleHeld goes through the due held events of an aggregate, one a
// transaction.
func (p *partition) settleHeld(of *share, w inbox.Waiter, like *chunk) error {
	for {
		done, err := p.settle(p.newLike(like, 1, of.part(nil, w)))
		if err != nil {
			return err
		}
		if len(done.more) == 0 {
			return nil
		}
	}
}

// newLike is a chunk of a part of what another one has, with what that one's runs
// decided: those attempts are made and counted.
func (p *partition) newLike(like *chunk, limit int, part *share) *chunk {
	c := p.s.r.newChunk(p.topic, limit, part)
	c.careful, c.tried = like.careful, like.tried
	c.condemned, c.paused = like.condemned, like.paused
	return c
}

// settle runs a chunk until each of its events is applied, kept for later or given
// up. It returns a [handlerError] where the chunk fails and no event of it does.
func (p *partition) settle(c *chunk) (*run, error) {
	for memory := 1; ; memory++ {
		done, err := p.attempt(c, func() {})
		switch {
		case !isHandlers(err):
			if err != nil {
				p.uncount(c)
			}
			return done, err
		case len(c.failures) > 0:
			if err := p.failed(c, memory); err != nil {
				return nil, err
			}
		case c.apart:
			return nil, err
		default:
			c.apart = true
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
	switch {
	case at < 0:
		return nil
	case !r.careful:
		return r.suspect(ctx)
	case r.counted > 0:
		return nil
	}
	it := &r.items[r.plan.Steps[at].Event]
	r.trying, r.tried = it, true
	begun, err := inbox.Attempts(ctx, tx, r.scope.Consumer, it.attemptID())
	if err != nil {
		return err
	}
	if it.event.Due && begun > it.retry.Attempts || !it.event.Due && begun >= r.r.cfg.InPlaceAttempts {
		r.counted, r.applied = begun, []*item{it}
		return &handlerError{err: errDied}
	}
	err = r.beside(ctx, "count an attempt", func(ctx context.Context) error {
		if it.event.Due { // or its next attempt had company again
			if err := r.mark(ctx, []int64{it.msg.Offset}); err != nil {
				return err
			}
		}
		counts, err := inbox.CountAttempts(ctx, r.r.cfg.Pool, r.scope, []inbox.Attempt{it.attempt()}, r.now)
		r.counted = counts[it.attemptID()]
		return err
	})
	r.changes.Counted = r.counted > 0
	return err
}

// suspect marks the events that are tried again together, as begin counts those that
// are tried alone: should the process end with this transaction, each of them is
// tried alone next, and none has used an attempt.
func (r *run) suspect(ctx context.Context) error {
	offsets := r.dueNow()
	if !slices.ContainsFunc(offsets, func(o int64) bool { return !slices.Contains(r.suspected, o) }) {
		return nil
	}
	err := r.beside(ctx, "mark what is tried together", func(ctx context.Context) error { return r.mark(ctx, offsets) })
	if err == nil {
		r.suspected = offsets
	}
	return err
}

// dueNow are the offsets of the events that this run tries again.
func (r *run) dueNow() (offsets []int64) {
	for _, s := range r.plan.Steps {
		if it := &r.items[s.Event]; s.Verdict == inbox.Apply && it.event.Due {
			offsets = append(offsets, it.msg.Offset)
		}
	}
	return offsets
}

func (r *run) mark(ctx context.Context, offsets []int64) error {
	return inbox.Suspect(ctx, r.r.cfg.Pool, r.scope, r.scope.Partitions[0], offsets)
}

// beside does something by a connection beside the transaction's. Where chunks have
// taken every connection this one gives up its own.
func (r *run) beside(ctx context.Context, doing string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fmt.Errorf("consumer: %s in %s: not done within %s by a connection of its own, of %d; give the pool more, or lower MaxConcurrentChunks: %w",
			doing, r.scope.Topic, countTimeout, r.r.cfg.Pool.Config().MaxConns, err)
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
	r, it := p.s.r, c.trying
	if err := inbox.UncountAttempt(ctx, r.cfg.Pool, r.cfg.Group, it.attemptID(), c.counted); err != nil {
		r.logEvent(slog.LevelWarn, it, "an attempt that did not end stays counted", "attempt", c.counted, "error", err.Error())
	}
}

// failed counts the failed attempts where a crash does not forget them, decides what
// the next run of the chunk does with their events, and waits where one of them is
// tried again at once.
func (p *partition) failed(c *chunk, memory int) error {
	counts, err := p.countAttempts(c)
	if err != nil {
		return err
	}
	pause, again := time.Duration(0), false
	for _, f := range c.failures {
		// What was settled is so by another owner who was faster: the next run finds a
		// duplicate.
		wait, atOnce := p.failedAfter(c, f, cmp.Or(counts[f.item.attemptID()], memory))
		pause, again = max(pause, wait), again || atOnce
	}
	if !again {
		return nil
	}
	return p.sleep(pause)
}

// failedAfter returns the pause before the next attempt where that is made at once.
func (p *partition) failedAfter(c *chunk, f failure, attempts int) (wait time.Duration, atOnce bool) {
	r, it := p.s.r, f.item
	r.metrics.events.WithLabelValues(r.cfg.Group, c.scope.Topic, r.typeLabel(c.topic, it), outcomeFailed).Inc()
	gone, later := r.afterFailure(c.topic, it, f.err, attempts)
	switch {
	case gone != nil:
		c.condemn(it, gone)
		return 0, false
	case later != nil:
		c.postpone(it, later)
		return 0, false
	}
	wait = backoff(r.cfg.BackoffMin, r.cfg.BackoffMax, attempts)
	if d, ok := RetryDelay(f.err); ok {
		wait = d
	}
	r.metrics.retries.WithLabelValues(r.cfg.Group, c.scope.Topic, "handler").Inc()
	r.logEvent(slog.LevelWarn, it, "handler failed, another attempt follows", "attempt", attempts, "wait", wait, "error", firstLine(f.err.Error()))
	return wait, true
}

// countAttempts retries until the database answers: an attempt that is not
// counted would make a crashing handler run for ever. An attempt that was counted
// before it began is not counted again.
func (p *partition) countAttempts(c *chunk) (map[string]int, error) {
	if n := c.counted; n > 0 {
		c.counted = 0
		return map[string]int{c.trying.attemptID(): n}, nil
	}
	c.tried = true
	attempts := make([]inbox.Attempt, len(c.failures))
	for i, f := range c.failures {
		attempts[i] = f.item.attempt()
	}
	for failures := 1; ; failures++ {
		counts, err := inbox.CountAttempts(p.ctx, p.s.r.cfg.Pool, c.scope, attempts, p.s.r.cfg.Now())
		if err == nil {
			return counts, nil
		}
		p.s.r.cfg.Logger.Warn("attempts not counted yet", "group", c.scope.Consumer, "topic", c.scope.Topic, "error", err.Error())
		if err := p.sleep(p.s.r.outagePause(failures)); err != nil {
			return nil, err
		}
	}
}

// attempt is one of the event, as it is counted.
func (it *item) attempt() inbox.Attempt {
	return inbox.Attempt{EventID: it.attemptID(), Place: it.place()}
}

func (it *item) place() inbox.Place {
	return inbox.Place{Partition: it.msg.Partition, Offset: it.msg.Offset}
}

// failedIn remembers which events a failed run was handling when it failed.
func (c *chunk) failedIn(failed *run, err error) {
	c.failures = failed.failed
	if len(c.failures) == 0 && len(failed.applied) == 1 {
		c.failures = []failure{{failed.applied[0], err}}
	}
}

// condemn makes the next run give an event up.
func (c *chunk) condemn(it *item, f *fault) {
	if c.condemned == nil {
		c.condemned = make(map[inbox.Place]*fault)
	}
	c.condemned[it.place()] = f
}

// postpone makes the next run keep an event for a later attempt.
func (c *chunk) postpone(it *item, later *pause) {
	if c.paused == nil {
		c.paused = make(map[inbox.Place]*pause)
	}
	c.paused[it.place()] = later
}
