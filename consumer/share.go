package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// share is what one partition brings into a chunk: what it has under way, or a
// part of that.
type share struct {
	p *partition
	// whole is what this is a part of, nil for the whole.
	whole    *share
	records  []*kgo.Record
	items    []item // the records, read
	received time.Time
	release  []inbox.Waiter
	// due are events to try again, instead of all that.
	due []inbox.DueRecord
	// alone keeps other partitions away, careful handles events one by one.
	alone, careful bool
	keys           map[string]struct{}
	// from is what the database was known to hold before, next is behind the last
	// record.
	from, next int64
	// open is the first record that is not settled, next where all are. The
	// partition's mu guards it.
	open int64
}

// newShare is a share of the partition; the caller holds mu.
func (p *partition) newShare(records []*kgo.Record, release []inbox.Waiter) *share {
	sh := &share{p: p, records: records, release: release, from: p.from, open: p.read, next: p.read}
	if n := len(records); n > 0 {
		sh.open, sh.next = records[0].Offset, records[n-1].Offset+1
		p.read = max(p.read, sh.next)
	}
	return sh
}

// part is some of what is under way. Parts are settled in the order of the log.
func (sh *share) part(items []item, release ...inbox.Waiter) *share {
	p := sh.p
	p.mu.Lock()
	defer p.mu.Unlock()
	part := &share{p: p, whole: sh.origin(), items: items, release: release, from: p.from}
	if n := len(items); n > 0 {
		part.next = items[n-1].msg.Offset + 1
	}
	return part
}

func (sh *share) origin() *share {
	if sh.whole != nil {
		return sh.whole
	}
	return sh
}

// isEmpty is set where there is an offset to store and nothing else.
func (sh *share) isEmpty() bool {
	return len(sh.records)+len(sh.release)+len(sh.due) == 0
}

func (sh *share) dueOffsets() []int64 {
	offsets := make([]int64, len(sh.due))
	for i, d := range sh.due {
		offsets[i] = d.Offset
	}
	return offsets
}

func (sh *share) read() {
	r := sh.p.s.r
	sh.items = make([]item, len(sh.records))
	for i, record := range sh.records {
		sh.items[i] = r.readRecord(sh.p.topic, record)
		sh.items[i].received = sh.received
	}
}

// holds reports whether it has events of a record key. The keys are looked at
// when somebody asks first, which nobody does while nothing else is under way.
func (sh *share) holds(key []byte) bool {
	if sh.keys == nil {
		sh.keys = make(map[string]struct{}, len(sh.records)+len(sh.release))
		for _, record := range sh.records {
			sh.keys[string(record.Key)] = struct{}{}
		}
		for _, w := range sh.release {
			sh.keys[string(w.RecordKey)] = struct{}{}
		}
		for _, d := range sh.due {
			sh.keys[string(d.RecordKey)] = struct{}{}
		}
	}
	_, held := sh.keys[string(key)]
	return held
}

// settled says that a transaction of it has committed, with this offset if any.
func (sh *share) settled(stored int64) {
	p, whole := sh.p, sh.origin()
	p.mu.Lock()
	defer p.mu.Unlock()
	whole.open = max(whole.open, sh.next)
	p.from = max(p.from, stored)
	if len(p.underWay) > 0 && p.underWay[0] == whole {
		p.commits.Add(1)
	}
	p.moved()
}

// pass settles records without a transaction, unless the database should know of
// those before by now.
func (sh *share) pass() bool {
	p := sh.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isOverdue() { // in a backlog there is no quiet moment to store it
		return false
	}
	sh.open = sh.next
	p.moved()
	return true
}

// land ends its time under way. What of it is not settled waits again.
func (sh *share) land() {
	p := sh.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay = slices.DeleteFunc(p.underWay, func(other *share) bool { return other == sh })
	p.deferred, p.barred = 0, false
	if sh.open < sh.next {
		p.putBack(sh)
	}
	p.moved()
	p.signal()
}

// putBack returns to the queue what was not settled.
func (p *partition) putBack(sh *share) {
	for _, record := range sh.records {
		if record.Offset >= sh.open {
			p.queue = append(p.queue, record)
			p.bytes += sizeOf(record)
		}
	}
	p.queue = slices.Clip(p.queue)
	slices.SortFunc(p.queue, func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	p.since = sh.received
}

// failed makes the partition try alone what could not be settled together with
// others.
func (sh *share) failed() {
	p := sh.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alone = true
	if len(p.release) == 0 {
		p.release = sh.release
	}
}
