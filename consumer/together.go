package consumer

import (
	"context"
	"errors"
	"time"
)

// joinAfter is how long a chunk that is not full waits for another one of its
// topic to end. What arrives meanwhile goes with it: at a low rate a transaction
// for each record costs several times as much as one for a handful.
const joinAfter = 5 * time.Millisecond

// turn waits until no other chunk of p's topic is under way, but not long.
func (s *session) turn(p *partition) (leave func(), err error) {
	if p.isFull() {
		return func() {}, nil
	}
	timer := time.NewTimer(joinAfter)
	defer timer.Stop()
	turn := s.turns[p.topic.Topic]
	select {
	case turn <- struct{}{}:
	case <-timer.C:
		return func() {}, nil
	case <-p.stop:
		return nil, errStopping
	}
	left := false
	return func() {
		if !left {
			left = true
			<-turn
		}
	}, nil
}

// gather takes what waits in p and what waits in other partitions of its topic,
// up to a chunk.
func (s *session) gather(p *partition) []*share {
	room := s.r.cfg.MaxChunkRecords
	var shares []*share
	add := func(taken *share) {
		if taken == nil {
			return
		}
		taken.read()
		if taken.p.pass(taken) {
			taken.land()
			return
		}
		room -= len(taken.records)
		shares = append(shares, taken)
	}
	own := p.take(room)
	add(own)
	if own != nil && own.alone {
		return shares
	}
	for _, q := range s.all() {
		if room > 0 && q != p && q.topic == p.topic {
			add(q.join(room))
		}
	}
	return shares
}

func (p *partition) isFull() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.takeable()
	return waiting >= p.s.r.cfg.MaxChunkRecords || waiting > 0 && p.bytes >= maxChunkBytes
}

// together settles several partitions' shares in one transaction. Whatever goes
// wrong with it, each partition then tries its own share alone, so that nothing
// but a success depends on the others.
func (s *session) together(p *partition, shares []*share) error {
	defer func() {
		for _, sh := range shares {
			sh.land()
		}
	}()
	ctx, done := whileAllOwned(s.work, shares)
	defer done()
	c := s.r.newChunk(p.topic, -1, shares...)
	settled, err := s.once(ctx, p.stop, c)
	if err == nil {
		s.askReleases(settled)
		return nil
	}
	for _, sh := range shares {
		sh.failed()
	}
	if errors.Is(err, errRewound) {
		return err
	}
	s.r.cfg.Logger.Info("a transaction of several partitions failed, each tries its records alone", "group", s.r.cfg.Group,
		"topic", c.scope.Topic, "partitions", c.scope.Partitions, "error", err.Error())
	return nil
}

// whileAllOwned returns a context that ends when one of the partitions is given
// back. done must be called.
func whileAllOwned(ctx context.Context, shares []*share) (owned context.Context, done func()) {
	owned, cancel := context.WithCancel(ctx)
	stops := make([]func() bool, len(shares))
	for i, sh := range shares {
		stops[i] = context.AfterFunc(sh.p.ctx, cancel)
	}
	return owned, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// once is one transaction. It takes one of the runner's slots for its length
// only, so that a partition that waits holds nothing another one needs.
func (s *session) once(ctx context.Context, stop <-chan struct{}, c *chunk) (*run, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-stop:
		return nil, errStopping
	case <-ctx.Done(): // another partition of the chunk is given back
		return nil, errStopping
	}
	started := time.Now()
	done, err := c.do(ctx)
	c.took += time.Since(started)
	if err != nil {
		return done, err
	}
	s.committed(done, started)
	return done, nil
}

// committed is what follows a commit in the database.
func (s *session) committed(done *run, started time.Time) {
	r := s.r
	if done.appended {
		r.cfg.Outbox.Wake()
	}
	if hook, ok := r.cfg.Hooks.(AfterEffectHook); ok {
		for _, it := range done.applied {
			hook.AfterEffect(r.cfg.Group, it.event.EventID)
		}
	}
	for _, sh := range done.shares {
		sh.settled(done.changes.NextOffsets[sh.p.id])
	}
	r.observe(done, started)
	r.logChunk(done)
}

// askReleases asks for held events that a chunk did not look at to the end.
func (s *session) askReleases(done *run) {
	for id, waiters := range done.releases() {
		if p := s.get(done.scope.Topic, id); p != nil {
			p.askRelease(waiters)
		}
	}
}
