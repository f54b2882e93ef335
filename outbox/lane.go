package outbox

import (
	"slices"
	"time"
)

// lane is what the owner of a lane knows about it. The relay's loop owns it. Of
// a chunk that is being sent, and of fences meanwhile, the sender is the owner;
// the loop's own notes about it are in flight. Positions up to high are read or
// known to be holes; everything up to lowWater() is settled.
type lane struct {
	id        int16
	epoch     int64
	high      int64
	holes     []hole
	mostHoles int                // that one read asks for
	seen      snapshot           // up to which isEmpty of holes is true
	published map[int64]struct{} // above low water when the lane was taken over
	fences    map[string]struct{}
	hasFences bool   // what the loop knows of fences while a sender has them
	culprits  int64  // that waited for a decision when fences were loaded, and those parked since
	next      *chunk // read, not yet sent
	sending   *chunk
	settling  int   // chunks acknowledged and not yet recorded
	recorded  int64 // the low-water mark in the database
	page      int   // how many to ask for next, 0 for as many as a chunk may have
	stale     bool  // there may be rows that no read has asked for
	// released says that parked rows are to be sent: until they are, nothing else
	// is read. unsure says that fences and released may be out of date.
	released, unsure bool
	leaving          bool // to be handed over: nothing new is read or sent
	inFlight         inFlight
	// releaseAgain is when parked rows that were let go are tried again.
	releaseAgain retry

	// shelves are those with events of the lane, and aside is what of one of them
	// is read, being sent or about to be.
	shelves         map[shelf]*shelfState
	aside           *chunk
	isAsideSending  bool
	asideSince      time.Time // when it began
	isAsideSettling bool      // acknowledged and not yet recorded
}

// inFlight is what the loop may say about a chunk that a sender has.
type inFlight struct {
	since   time.Time // when sending began, or when a part was last settled
	events  int
	first   rowName
	failure error
}

func newLane(id int16, epoch, lowWater int64) *lane {
	return &lane{
		id: id, epoch: epoch, high: lowWater, recorded: lowWater, mostHoles: mostHoles,
		published: map[int64]struct{}{}, fences: map[string]struct{}{},
	}
}

// isAtRest reports whether no sender and no recording has anything of the lane.
func (l *lane) isAtRest() bool {
	return l.settling == 0 && !l.isAsideSending && (l.sending == nil || !l.sending.retryAt.IsZero())
}

// canStart reports whether anything of the lane may be sent.
func (l *lane) canStart() bool { return !l.leaving && !l.unsure }

// isOpen reports whether its next chunk may be sent.
func (l *lane) isOpen() bool {
	return l.canStart() && l.settling < maxUnrecorded && !l.isClosing()
}

// isReleasing reports whether parked rows are to be sent before anything else.
func (l *lane) isReleasing() bool { return l.released && l.releaseAgain.isDue() }

// fenceKey is what a fence holds back: one key of one topic.
func fenceKey(topic string, key []byte) string { return topic + "\x00" + string(key) }

func (l *lane) fence(r outRow) { l.fences[fenceKey(r.topic, r.key)] = struct{}{} }

func (l *lane) fenced(r outRow) bool {
	if len(l.fences) == 0 {
		return false
	}
	_, ok := l.fences[fenceKey(r.topic, r.key)]
	return ok
}

// lowWater returns the position up to which every row is published, parked or
// proved never to come, taking the chunks being settled as done.
func (l *lane) lowWater() int64 {
	low := l.high
	lower := func(first int64) { low = min(low, first-1) }
	for _, h := range l.holes {
		lower(h.first)
	}
	for _, c := range []*chunk{l.next, l.sending} {
		if c != nil && !c.isRelease {
			lower(c.first)
		}
	}
	return max(low, l.recorded)
}

// mostHoles bounds what one lane's holes cost the read of all: each is looked up
// in every partition of the table.
const mostHoles = 500

// hasManyHoles reports whether not all holes are asked for at once.
func (l *lane) hasManyHoles() bool { return len(l.holes) > l.mostHoles }

// spans returns what to read: the holes, then everything above high. Of many
// holes those are left out that were empty and in which nothing can have become
// visible; recheck makes sure of it after the read. Where there are still too
// many, nothing from cut on is asked for: a row there may follow one in a hole
// that is left out.
func (l *lane) spans() (asked []span, cut int64) {
	for _, h := range l.holes {
		if l.hasManyHoles() && h.isEmpty && h.bound > l.seen.xmin {
			continue
		}
		if len(asked) == l.mostHoles {
			return asked, h.first
		}
		asked = append(asked, h.span)
	}
	return append(asked, span{l.high + 1, openEnd}), openEnd
}

// recheck is for a read of many holes: before and after are snapshots around it.
// A hole that was left out although somebody who may have rows in it has ended
// is to be asked for next, and what was read from there on is not to be kept.
func (l *lane) recheck(asked []span, before, after snapshot) (cut int64) {
	cut = openEnd
	first := firstEnded(l.seen, after)
	for i, h := range l.holes {
		if !h.isEmpty || h.bound <= first {
			continue
		}
		l.holes[i].isEmpty = false
		if !hasSpan(asked, h.span) {
			cut = min(cut, h.first)
		}
	}
	l.seen = before
	return cut
}

// noteEmpty marks the holes that the read between recheck's snapshots has found
// empty.
func (l *lane) noteEmpty(complete []span) {
	for i, h := range l.holes {
		if h.bound != 0 && hasSpan(complete, h.span) {
			l.holes[i].isEmpty = true
		}
	}
}

// take accepts the rows of one read in position order and makes them the next
// chunk. It notices new holes and forgets those that filled. complete are the
// spans that were read to their end and emptyBelow is a transaction id: a hole
// that was, stayed empty and is bounded at or below it is dead.
func (l *lane) take(rows []outRow, complete []span, emptyBelow int64) {
	positions := make([]int64, len(rows))
	for i, r := range rows {
		positions[i] = r.position
	}
	l.buryDead(positions, complete, emptyBelow)
	l.holes = cutHoles(l.holes, positions)
	above, _ := slices.BinarySearch(positions, l.high+1)
	for _, g := range gaps(l.high, positions[above:]) {
		l.holes = append(l.holes, hole{span: g})
	}
	if len(positions) > above {
		l.high = positions[len(positions)-1]
	}
	l.next = newChunk(l, l.unpublished(rows))
}

func (l *lane) buryDead(positions []int64, complete []span, emptyBelow int64) {
	l.holes = slices.DeleteFunc(l.holes, func(h hole) bool {
		if h.bound == 0 || h.bound > emptyBelow || !hasSpan(complete, h.span) {
			return false
		}
		at, _ := slices.BinarySearch(positions, h.first)
		return at == len(positions) || positions[at] > h.last
	})
}

func (l *lane) unpublished(rows []outRow) []outRow {
	if len(l.published) == 0 {
		return rows
	}
	return slices.DeleteFunc(rows, func(r outRow) bool {
		_, done := l.published[r.position]
		delete(l.published, r.position)
		return done
	})
}

// unbounded reports whether a hole still lacks its proof's transaction id.
func (l *lane) unbounded() bool {
	return slices.ContainsFunc(l.holes, func(h hole) bool { return h.bound == 0 })
}

// setBound gives the holes known now the transaction id their proof rests on.
// read are the spans that were asked for when the id was taken: a hole noticed
// later must wait for a later id.
func (l *lane) setBound(bound int64, read []span) {
	for i, h := range l.holes {
		if h.bound == 0 && hasSpan(read, h.span) {
			l.holes[i].bound = bound
		}
	}
}
