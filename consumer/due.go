package consumer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

// askDue asks for events that are to be tried again.
func (p *partition) askDue(due []inbox.DueRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		p.due = due
		p.signal()
	}
}

// tryAgain makes one more attempt of an event that failed. Between two of them
// the partition's records have their turn: what failed must not slow down the
// rest.
func (p *partition) tryAgain(sh *share) error {
	defer sh.land()
	c := p.s.r.newChunk(p.topic, 0, sh)
	c.due, c.careful = &inbox.Place{Partition: p.id, Offset: sh.due.Offset}, true
	done, err := p.settle(c)
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

// loadDue makes the event that is tried again the chunk's only one, if it is
// still due: another instance may have been faster.
func (r *run) loadDue(ctx context.Context, tx pgx.Tx) error {
	if r.due == nil {
		return nil
	}
	r.records = nil
	h, found, err := inbox.LoadDue(ctx, tx, r.scope, *r.due, r.now)
	if err != nil || !found {
		return err
	}
	it, err := r.r.readHeld(r.topic, h)
	if err != nil {
		return fmt.Errorf("consumer: read held event at %s/%d/%d: %w", r.scope.Topic, h.Partition, h.Offset, err)
	}
	it.event.Due = true
	r.records = []item{it}
	return nil
}

// learnParked finds records that were delivered again while they wait for their
// next attempt. In mode Ordered their block says so.
func (r *run) learnParked(ctx context.Context, tx pgx.Tx, stored map[int32]inbox.Progress) error {
	if r.scope.Mode == Ordered || r.due != nil {
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
