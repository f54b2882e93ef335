package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// share is what one partition brings into a chunk.
type share struct {
	p        *partition
	records  []*kgo.Record
	items    []item // the records, read
	received time.Time
	release  []inbox.Aggregate
	// from is where reading stood before, next is behind the last record.
	from, next int64
}

func (sh *share) read() {
	r := sh.p.s.r
	sh.items = make([]item, len(sh.records))
	for i, record := range sh.records {
		sh.items[i] = r.readRecord(sh.p.topic, record)
		sh.items[i].received = sh.received
	}
	if n := len(sh.records); n > 0 {
		sh.next = sh.records[n-1].Offset + 1
	}
}

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

// gather takes what waits in p, which the caller has seized, and what waits in
// the idle partitions of its topic, up to a chunk. Those it takes from are
// seized. Without anything to settle p is free again.
func (s *session) gather(p *partition) []*share {
	room := s.r.cfg.MaxChunkRecords
	var shares []*share
	add := func(q *partition) {
		taken := q.take(room)
		taken.read()
		if q.pass(taken) || len(taken.records)+len(taken.release) == 0 && taken.next <= taken.from {
			q.free()
			return
		}
		room -= len(taken.records)
		shares = append(shares, taken)
	}
	alone := p.isAlone()
	add(p)
	if alone {
		return shares
	}
	for _, q := range s.all() {
		if room > 0 && q != p && q.topic == p.topic && q.joins() {
			add(q)
		}
	}
	return shares
}

func (p *partition) isFull() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) >= p.s.r.cfg.MaxChunkRecords || p.bytes >= maxChunkBytes
}

// isAlone reports once that the partition is to try alone what is queued.
func (p *partition) isAlone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	alone := p.alone || p.needsCare(len(p.release))
	p.alone = false
	return alone
}

// joins seizes the partition for another one's chunk, if it has something to
// bring.
func (p *partition) joins() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy || p.alone || p.needsCare(len(p.release)) || p.stopping() || len(p.queue)+len(p.release) == 0 {
		return false
	}
	p.busy = true
	return true
}

// together settles several partitions' shares in one transaction. Whatever goes
// wrong with it, each partition then tries its own share alone, so that nothing
// but a success depends on the others.
func (s *session) together(p *partition, shares []*share) error {
	if len(shares) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(s.work)
	defer cancel()
	for _, sh := range shares {
		defer context.AfterFunc(sh.p.ctx, cancel)() //nolint:gocritic // for as long as the transaction, like those of the other shares
		defer sh.p.free()                           //nolint:gocritic // likewise
	}
	c := s.r.newChunk(p.topic, -1, shares...)
	done, err := s.once(ctx, p.stop, c)
	if err == nil {
		s.askReleases(done)
		return nil
	}
	for _, sh := range shares {
		sh.p.putBack(sh)
	}
	if errors.Is(err, errRewound) {
		return err
	}
	s.r.cfg.Logger.Info("a transaction of several partitions failed, each tries its records alone", "group", s.r.cfg.Group,
		"topic", c.scope.Topic, "partitions", c.scope.Partitions, "error", err.Error())
	return nil
}

// once is one transaction. It takes one of the runner's slots for its length
// only, so that a partition that waits holds nothing another one needs.
func (s *session) once(ctx context.Context, stop <-chan struct{}, c *chunk) (*run, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-stop:
		return nil, errStopping
	}
	started := time.Now()
	done, err := c.do(ctx)
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
		sh.p.settledUpTo(sh.next)
		sh.p.commits.Add(1)
	}
	r.observe(done, started)
	r.logChunk(done)
}

func (p *partition) settledUpTo(next int64) {
	if next > p.from {
		p.from = next
		p.finished.Store(next)
	}
	p.s.r.setLag(p.topic.Topic, p.id, p.highWater.Load()-p.finished.Load())
}

// askReleases asks for held events that a chunk did not look at to the end.
func (s *session) askReleases(done *run) {
	for id, aggregates := range done.releases() {
		if p := s.get(done.scope.Topic, id); p != nil {
			p.askRelease(aggregates)
		}
	}
}
