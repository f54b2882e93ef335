package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// progress is how far a partition is. Records are settled out of the log's order
// where their keys allow it, so that it takes what is under way, what is queued
// and what was read to know which the lowest is that is not settled. The
// partition's mu guards it.
type progress struct {
	// underWay is what goroutines have in hand, the oldest first.
	underWay []*share
	// deferred is how many records at the front of the queue have keys that are
	// under way, as far as the queue was looked through; barred is set when no
	// later one may be taken either. A landing ends both.
	deferred int
	barred   bool
	// read is behind the last record that was taken.
	read int64
	// from is what the database is known to hold, and storeAt when it should know
	// better.
	from    int64
	storeAt time.Time
}

// keepUnstored is how long the database may not know of records that are
// settled, where no other transaction stores the offset.
const keepUnstored = 500 * time.Millisecond

// mostUnderWay is how many chunks of the partition there may be at once.
func (p *partition) mostUnderWay() int {
	if p.needsCare() {
		return 1
	}
	return p.workers()
}

func (p *partition) workers() int {
	if p.topic.redrives {
		return 1
	}
	return max(p.s.r.cfg.MaxPartitionChunks, 1)
}

func (p *partition) isUnderWay() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.underWay) > 0
}

// inHand reports whether events of a record key are under way. Records without a
// key have one in common: nothing says which of them belong together.
func (p *partition) inHand(key []byte) bool {
	return slices.ContainsFunc(p.underWay, func(sh *share) bool { return sh.holds(key) })
}

// hasWork reports whether something waits that may be taken.
func (p *partition) hasWork() bool {
	return p.takeable() > 0 ||
		slices.ContainsFunc(p.release, func(w inbox.Waiter) bool { return !p.inHand(w.RecordKey) }) ||
		p.canClaim() || slices.ContainsFunc(p.tries.claimed, func(d inbox.DueRecord) bool { return !p.inHand(d.RecordKey) })
}

// takeable is how many queued records are not known to wait for what is under
// way.
func (p *partition) takeable() int {
	if p.barred {
		return 0
	}
	return len(p.queue) - p.deferred
}

// take puts under way up to so many queued records, and what is to be released,
// as far as their keys are not under way. It returns nil without any, unless the
// database should learn an offset.
func (p *partition) take(records int) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeUpTo(records)
}

// join is take for another partition's chunk.
func (p *partition) join(records int) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alone || p.needsCare() || p.stopping() || !p.hasWork() {
		return nil
	}
	return p.takeUpTo(records)
}

func (p *partition) takeUpTo(records int) *share {
	if len(p.underWay) >= p.mostUnderWay() {
		return nil
	}
	careful, received := p.needsCare(), p.since
	taken := p.newShare(p.takeRecords(records), p.takeReleases())
	if len(taken.records)+len(taken.release) == 0 && !p.isStoreDue() {
		return nil
	}
	taken.received, taken.alone, taken.careful = received, p.alone || careful, careful
	p.alone = false
	p.begin(taken)
	if p.paused && len(p.queue) <= p.s.r.cfg.MaxQueuedRecords/2 && p.bytes <= p.s.queueBytes()/2 {
		p.paused = false
		p.s.resume(p)
	}
	return taken
}

func (p *partition) begin(sh *share) {
	p.underWay = append(p.underWay, sh)
	if p.hasWork() {
		p.signal()
	}
}

func (p *partition) takeRecords(most int) []*kgo.Record {
	if len(p.underWay) > 0 {
		return p.takeBeside(most)
	}
	n, size := 0, 0
	for n < min(len(p.queue), most) && size < maxChunkBytes {
		size += sizeOf(p.queue[n])
		n++
	}
	taken := p.queue[:n:n]
	p.bytes -= size
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return taken
}

// takeBeside takes what has nothing to do with what is under way.
func (p *partition) takeBeside(most int) (taken []*kgo.Record) {
	if p.barred {
		return nil
	}
	kept, size, bound := p.queue[:p.deferred:p.deferred], 0, p.lowest(nil)+int64(p.s.r.cfg.MaxQueuedRecords)
	i := p.deferred
	for ; i < len(p.queue) && len(taken) < most && size < maxChunkBytes; i++ {
		record := p.queue[i]
		if p.barred = record.Offset >= bound || p.isTombstone(record); p.barred {
			break
		}
		if p.inHand(record.Key) {
			kept = append(kept, record)
			continue
		}
		taken, size = append(taken, record), size+sizeOf(record)
	}
	p.deferred, p.bytes = len(kept), p.bytes-size
	p.queue = append(kept, p.queue[i:]...)
	return taken
}

// isTombstone reports whether a record deletes its key. Whether it did so before
// is known by its offset alone, so that it waits until all before it is settled.
func (p *partition) isTombstone(record *kgo.Record) bool {
	return record.Value == nil && p.topic.Mode == Latest
}

func (p *partition) takeReleases() (taken []inbox.Waiter) {
	if len(p.underWay) == 0 {
		taken, p.release = p.release, nil
		return taken
	}
	var kept []inbox.Waiter
	for _, w := range p.release {
		if p.inHand(w.RecordKey) {
			kept = append(kept, w)
		} else {
			taken = append(taken, w)
		}
	}
	p.release = kept
	return taken
}

// takeNothing is for the offset alone, where the database lacks it.
func (p *partition) takeNothing() *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished.Load() <= p.from {
		return nil
	}
	return p.newShare(nil, nil)
}

// isStoreDue reports whether the database should learn an offset that no record
// brings along.
func (p *partition) isStoreDue() bool {
	return len(p.underWay) == 0 && p.isOverdue()
}

func (p *partition) isOverdue() bool { return !p.storeAt.IsZero() && !time.Now().Before(p.storeAt) }

// lowest is the lowest record that is not settled, other than those of a share.
func (p *partition) lowest(except *share) int64 {
	lowest := p.read
	if len(p.queue) > 0 {
		lowest = min(lowest, p.queue[0].Offset)
	}
	for _, sh := range p.underWay {
		if sh != except && sh.open < sh.next {
			lowest = min(lowest, sh.open)
		}
	}
	return lowest
}

// nextAfter is the partition's next offset once a part of what is under way is
// settled, if that part is of what has the lowest record that is not. All others
// leave the offset alone: its row stays locked while handlers run, which may take
// long, and two that change it would wait for each other.
func (p *partition) nextAfter(part *share) (next int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := part.origin()
	next = p.lowest(whole)
	if next < whole.open || len(whole.records) == 0 && !whole.isEmpty() {
		return 0, false
	}
	if left := max(whole.open, part.next); left < whole.next {
		next = min(next, left)
	}
	return next, next > p.from
}

// moved follows what was settled, stored or put back. The caller holds mu.
func (p *partition) moved() {
	p.finished.Store(max(p.finished.Load(), p.lowest(nil)))
	switch {
	case p.finished.Load() <= p.from:
		p.storeAt = time.Time{}
	case p.storeAt.IsZero():
		p.storeAt = time.Now().Add(keepUnstored)
	}
	p.s.r.setLag(p.topic.Topic, p.id, p.highWater.Load()-p.finished.Load())
}
