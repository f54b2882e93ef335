package outbox

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// woken is called after a commit in this process. It may have rows for any lane,
// also for one that is not ready to read now.
func (l *loop) woken() {
	for _, lane := range l.lanes {
		lane.stale = true
	}
}

// hungry are the lanes with nothing read ahead.
func (l *loop) hungry() []*lane {
	var hungry []*lane
	for _, id := range slices.Sorted(maps.Keys(l.lanes)) {
		if lane := l.lanes[id]; lane.next == nil && !lane.leaving && !lane.isReleasing() {
			hungry = append(hungry, lane)
		}
	}
	return hungry
}

// readDue is when to look next: at once where a hungry lane is stale.
func (l *loop) readDue() time.Time {
	hungry := l.hungry()
	switch {
	case len(hungry) == 0:
		return l.renewAt
	case slices.ContainsFunc(hungry, func(lane *lane) bool { return lane.stale }):
		return l.readAgain.at
	}
	return latest(l.nextRead, l.readAgain.at)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (l *loop) read(ctx context.Context) {
	if l.reading || l.readReleased(ctx) || l.readShelf(ctx) || time.Now().Before(l.readDue()) {
		return
	}
	request := l.ask()
	if len(request.lanes) == 0 {
		return
	}
	l.nextRead = time.Now().Add(l.pause)
	l.startRead(ctx, func(limited context.Context) readResult { return l.relay.store.read(limited, request) })
}

// startRead reads beside the loop. A connection may have died without a word, so
// no read is waited for longer than a lease: the next one has another connection.
func (l *loop) startRead(ctx context.Context, read func(context.Context) readResult) {
	l.reading = true
	if l.unreadSince.IsZero() {
		l.unreadSince = time.Now()
	}
	go func() {
		limited, cancel := context.WithTimeout(ctx, l.relay.cfg.LeaseTTL)
		defer cancel()
		l.reads <- read(limited)
	}()
}

// ask asks for the rows of the hungry lanes. What the others were told of stays
// to be asked for.
func (l *loop) ask() readRequest {
	hungry := l.hungry()
	request := newReadRequest(hungry)
	for _, lane := range hungry {
		request.woken = request.woken || lane.stale
		lane.stale = false
	}
	return request
}

func (l *loop) tookRead(res readResult) {
	l.reading = false
	if res.err == nil {
		l.unreadSince = time.Time{}
	}
	defer l.giveUnused(res)
	if res.isRelease {
		l.tookReleased(res)
		return
	}
	if errors.Is(res.err, errReadTooMuch) {
		for _, want := range res.request.lanes {
			want.lane.shrink(l.relay.cfg.ChunkEvents)
			want.lane.stale = true
		}
		return
	}
	if res.err != nil {
		if !interrupted(res.err) {
			l.relay.metrics.failure("read", res.err)
			l.log.Warn("outbox is not read; it is tried again", "error", res.err)
		}
		l.readAgain.failed(firstRetry, maxRetry)
		for _, want := range res.request.lanes {
			want.lane.stale = true
			if errors.Is(res.err, context.DeadlineExceeded) {
				// It may have been too much to read rather than a dead connection.
				want.lane.shrink(l.relay.cfg.ChunkEvents)
			}
		}
		return
	}
	l.readAgain.succeeded()
	found := 0
	for i, want := range res.request.lanes {
		got := &res.lanes[i]
		if l.lanes[want.lane.id] != want.lane {
			continue
		}
		if res.bound > 0 {
			want.lane.setBound(res.bound, want.spans)
		}
		if res.request.manyHoles {
			got.cutAt(want.lane.recheck(want.spans, res.before, res.after))
		}
		want.lane.learn(got.rows, l.relay.cfg.ChunkEvents, l.relay.cfg.ChunkBytes)
		found += len(got.rows)
		want.lane.take(got.rows, want.complete(got.cut), res.xmin)
		if res.request.manyHoles {
			want.lane.noteEmpty(want.complete(got.cut))
		}
		if c := want.lane.next; c != nil && got.memory != nil {
			c.useMemory(got.memory)
			got.memory = nil
		}
		want.lane.stale = want.lane.stale || got.cut < openEnd
		l.raise(want.lane)
	}
	l.adjustPause(found > 0, res.request.woken)
}

// giveUnused gives back the memory of a read that no chunk has taken.
func (l *loop) giveUnused(res readResult) {
	for _, got := range res.lanes {
		if got.memory != nil {
			l.relay.store.slabs.give(got.memory)
		}
	}
}

// adjustPause looks often while there are rows of which nobody told, as another
// process's are, or a hole waits for its proof, and seldom otherwise: each look
// costs as much as an event.
func (l *loop) adjustPause(found, woken bool) {
	switch {
	case found && (!woken || l.hasHoles()):
		l.pause = l.relay.cfg.PollMin
		l.nextRead = time.Now().Add(l.pause)
	case !found:
		l.pause = min(l.pause*2, l.relay.cfg.PollMax)
	}
}

func (l *loop) hasHoles() bool {
	for _, lane := range l.lanes {
		if len(lane.holes) > 0 {
			return true
		}
	}
	return false
}

// raise records the low-water mark of a lane in which only proofs moved it.
func (l *loop) raise(lane *lane) {
	if lane.sending == nil && lane.settling == 0 && lane.lowWater() > lane.recorded {
		lane.settling++
		l.finished = append(l.finished, settlement{lane: lane})
	}
}
