package consumer

import (
	"errors"
	"log/slog"

	"factline.dev/inbox"
)

// oneByOne repeats a chunk that failed through a handler record by record, each
// in a transaction of its own, so that the culprit is known and alone.
func (p *partition) oneByOne(all *share) error {
	for _, a := range all.release {
		if err := p.settleHeld(a); err != nil {
			return err
		}
	}
	for i := range all.items {
		done, err := p.settle(&share{items: all.items[i : i+1], next: all.items[i].msg.Offset + 1}, 0)
		if err != nil {
			return err
		}
		for _, a := range done.more {
			if err := p.settleHeld(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleHeld goes through the due held events of an aggregate, one a
// transaction.
func (p *partition) settleHeld(a inbox.Aggregate) error {
	for {
		done, err := p.settle(&share{release: []inbox.Aggregate{a}}, 1)
		if err != nil {
			return err
		}
		if len(done.more) == 0 {
			return nil
		}
	}
}

// settle runs a chunk with at most one event to handle until the event is
// applied or given up.
func (p *partition) settle(one *share, limit int) (*run, error) {
	one.p, one.from = p, p.from
	c := p.s.r.newChunk(p.topic, limit, one)
	memory := 0
	for {
		done, err := p.attempt(c, func() {})
		var failed *handlerError
		if !errors.As(err, &failed) {
			return done, err
		}
		memory++
		if err := p.failed(c, failed, memory); err != nil {
			return nil, err
		}
	}
}

// failed counts a failed attempt where a crash does not forget it, and either
// waits for the next one or condemns the event, so that the next run of the
// chunk gives it up.
func (p *partition) failed(c *chunk, cause error, memory int) error {
	r, it := p.s.r, c.culprit
	attempts, err := p.countAttempt(c, it, memory)
	if err != nil {
		return err
	}
	f, final := faultOf(cause, attempts, r.cfg.MaxAttempts)
	r.metrics.events.WithLabelValues(r.cfg.Group, c.scope.Topic, r.typeLabel(c.topic, it), outcomeFailed).Inc()
	if final {
		c.condemn(it, f)
		return nil
	}
	wait := backoff(r.cfg.BackoffMin, r.cfg.BackoffMax, attempts)
	if d, ok := RetryDelay(cause); ok {
		wait = d
	}
	r.metrics.retries.WithLabelValues(r.cfg.Group, c.scope.Topic, "handler").Inc()
	r.logEvent(slog.LevelWarn, it, "handler failed, another attempt follows", "attempt", attempts, "wait", wait, "error", firstLine(f.message))
	return p.sleep(wait)
}

// countAttempt retries until the database answers: an attempt that is not
// counted would make a crashing handler run for ever.
func (p *partition) countAttempt(c *chunk, it *item, memory int) (int, error) {
	if it.event.Tombstone {
		return memory, nil
	}
	for failures := 1; ; failures++ {
		attempts, settled, err := inbox.CountAttempt(p.ctx, p.s.r.cfg.Pool, c.scope, &it.event, it.msg.Offset, p.s.r.cfg.Now())
		if err == nil && settled {
			return memory, nil // the other owner was faster: the next run finds a duplicate
		}
		if err == nil {
			return attempts, nil
		}
		p.s.r.cfg.Logger.Warn("attempt not counted yet", "event_id", it.event.EventID, "error", err.Error())
		if err := p.sleep(backoff(p.s.r.cfg.BackoffMin, p.s.r.cfg.BackoffMax, failures)); err != nil {
			return 0, err
		}
	}
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
