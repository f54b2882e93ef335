package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

const (
	// claimLimit bounds how many failed events of a partition are looked up at a time,
	// and how many are tried again together.
	claimLimit = 200
	// firstTries is how many are tried together first, and triesWithin what a
	// transaction of theirs should take: handlers that are slow to fail get fewer.
	firstTries  = 8
	triesWithin = 100 * time.Millisecond
)

// tries are the events of a partition that are to be tried again. The partition's mu
// guards it.
type tries struct {
	// claimed are those that nobody has in hand.
	claimed []inbox.DueRecord
	// wanted says that the database may have more, claiming that somebody looks.
	wanted, claiming bool
	// most is how many go together.
	most int
}

// askDue says that events are to be tried again.
func (p *partition) askDue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries.wanted = true
	p.signal()
}

// canClaim reports whether it is time to look what is to be tried again: where
// nothing of what was found can be begun. The caller holds mu.
func (p *partition) canClaim() bool {
	t := &p.tries
	return t.wanted && !t.claiming && len(t.claimed) < claimLimit &&
		!slices.ContainsFunc(t.claimed, func(d inbox.DueRecord) bool { return !p.inHand(d.RecordKey) })
}

// claimDue looks up what is to be tried again, if that is wanted. Where the database
// does not answer the next sweep asks again.
func (p *partition) claimDue() {
	known := p.beginClaim()
	if known == nil {
		return
	}
	cfg, limit := p.s.r.cfg, claimLimit+len(known)
	due, err := inbox.FindDue(p.ctx, cfg.Pool, cfg.Group, p.topic.Topic, p.id, cfg.Now(), limit)
	if err != nil && p.ctx.Err() == nil {
		cfg.Logger.Warn("what is to be tried again is not known yet", "group", cfg.Group, "topic", p.topic.Topic, "partition", p.id, "error", err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries.wanted = p.tries.wanted || len(due) == limit
	due = slices.DeleteFunc(due, func(d inbox.DueRecord) bool { return known[d.Offset] })
	p.tries.claiming, p.tries.claimed = false, append(p.tries.claimed, due...)
	if len(due) > 0 {
		p.signal()
	}
}

// beginClaim returns nil where it is no time to look, and otherwise what would be
// found once more: what is claimed, and what somebody has in hand.
func (p *partition) beginClaim() map[int64]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.canClaim() {
		return nil
	}
	p.tries.claiming, p.tries.wanted = true, false
	known := make(map[int64]bool)
	for _, sh := range p.underWay {
		for _, offset := range sh.dueOffsets() {
			known[offset] = true
		}
	}
	for _, d := range p.tries.claimed {
		known[d.Offset] = true
	}
	return known
}

// takeDue puts under way events that are to be tried again: several whose keys are
// not in hand, or one that is suspected to take the process down.
func (p *partition) takeDue() *share {
	p.claimDue()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.underWay) >= p.mostUnderWay() {
		return nil
	}
	var kept []inbox.DueRecord
	sh, size := p.newShare(nil, nil), 0
	for _, d := range p.tries.claimed {
		full := len(sh.due) > 0 && (d.Suspect || sh.due[0].Suspect || len(sh.due) >= p.mostTries() || size+d.Bytes > maxChunkBytes)
		if full || p.inHand(d.RecordKey) {
			kept = append(kept, d)
			continue
		}
		sh.due, size = append(sh.due, d), size+d.Bytes
	}
	p.tries.claimed = kept
	if len(sh.due) == 0 {
		return nil
	}
	p.begin(sh)
	return sh
}

// mostTries is how many events are tried again together.
func (p *partition) mostTries() int { return cmp.Or(p.tries.most, firstTries) }

// adapt makes the next tries fewer after those that took long, and more otherwise.
func (t *tries) adapt(n int, took time.Duration) {
	if took > triesWithin {
		t.most = max(n/2, 1)
	} else {
		t.most = min(max(2*n, cmp.Or(t.most, firstTries)), claimLimit)
	}
}

func (p *partition) adapt(c *chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries.adapt(len(c.due), c.took)
}

// tryAgain makes one more attempt of events that failed. Between two such
// transactions the partition's records have their turn: what failed must not slow
// down the rest.
func (p *partition) tryAgain(sh *share) error {
	defer sh.land()
	if len(sh.due) == 1 {
		return p.tryEach(sh, &chunk{})
	}
	c := p.s.r.newChunk(p.topic, 0, sh)
	c.due = sh.dueOffsets()
	done, err := p.settle(c)
	p.adapt(c)
	if isHandlers(err) { // at the end of the transaction: nobody knows through whom
		return p.tryEach(sh, c)
	}
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

// tryEach tries each event in a transaction of its own, its attempt counted first
// where that was not made by the runs of like.
func (p *partition) tryEach(sh *share, like *chunk) error {
	for _, offset := range sh.dueOffsets() {
		c := p.newLike(like, 0, sh)
		c.due, c.careful = []int64{offset}, true
		done, err := p.settle(c)
		if err != nil {
			return err
		}
		p.adapt(c)
		p.s.askReleases(done)
	}
	return nil
}

// loadDue makes the events that are tried again the chunk's only ones, as far as they
// are still due: another instance may have been faster.
func (r *run) loadDue(ctx context.Context, tx pgx.Tx) error {
	if len(r.due) == 0 {
		return nil
	}
	r.records = nil
	all, err := inbox.LoadDue(ctx, tx, r.scope, r.scope.Partitions[0], r.due, r.now)
	if errors.Is(err, inbox.ErrPartitionUnknown) {
		return errRewound
	}
	if err != nil {
		return err
	}
	for _, h := range all {
		it, err := r.r.readHeld(r.topic, h)
		if err != nil {
			return fmt.Errorf("consumer: read held event at %s/%d/%d: %w", r.scope.Topic, h.Partition, h.Offset, err)
		}
		it.event.Due = true
		r.records = append(r.records, it)
	}
	return nil
}

// learnParked finds records that were delivered again while they wait for their
// next attempt. In mode Ordered their block says so.
func (r *run) learnParked(ctx context.Context, tx pgx.Tx, stored map[int32]inbox.Progress) error {
	if r.scope.Mode == Ordered || len(r.due) > 0 {
		return nil
	}
	var ids []string
	for i := range r.records {
		it := &r.records[i]
		if it.event.EventID != "" && it.msg.Offset < max(stored[it.msg.Partition].NextOffset, r.doubtUntil(it.msg.Partition)) {
			ids = append(ids, it.event.EventID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	parked, err := inbox.WaitForRetry(ctx, tx, r.scope, ids)
	if err == nil && len(parked) > 0 {
		r.learn(parked)
	}
	return err
}

// doubtUntil is how far a partition's records may have been settled by its owner
// before, whatever the database's offset says.
func (c *chunk) doubtUntil(partition int32) int64 {
	for _, sh := range c.shares {
		if sh.p.id == partition {
			return sh.p.doubtUntil
		}
	}
	return 0
}
