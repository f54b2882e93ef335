package consumer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

// askDue asks for events that are to be tried again, by offset.
func (p *partition) askDue(offsets []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		p.due = offsets
		p.signal()
	}
}

// nextDue takes one of them.
func (p *partition) nextDue() (offset int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		return 0, false
	}
	offset, p.due = p.due[0], p.due[1:]
	return offset, true
}

// tryAgain makes one more attempt of an event that failed. Between two of them
// the partition's records have their turn: what failed must not slow down the
// rest.
func (p *partition) tryAgain(offset int64) error {
	c := p.single(&share{}, 0)
	c.due, c.careful = &inbox.Place{Partition: p.id, Offset: offset}, true
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
		if it.event.EventID != "" && it.msg.Offset < stored[it.msg.Partition].NextOffset {
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
