package outbox

import (
	"context"
	"maps"
	"slices"
	"time"
)

// This is the second way of a lane's events to the log: what the broker does
// not accept because of its topic or partition leaves the lane's chunk, waits on
// a shelf in the database, and is sent from there. A key is on one of the two
// ways alone, so that chunks of both may be in flight at once.

// probeEvents is how much is read of a shelf that was refused last.
const probeEvents = 16

// refusal is when what the broker refused may be tried again.
type refusal struct {
	retry
	why error
}

// isRefused returns the shelf for an event of at which the broker refuses now,
// whoever found out.
func (l *loop) isRefused(at shelf) (shelf, bool) {
	for _, s := range []shelf{at, {topic: at.topic}} {
		if l.refusals[s] != nil {
			return s, true
		}
	}
	return at, false
}

// sift takes out of the chunks that are next what must wait on a shelf. It runs
// before they are sent, so that no fence is with a sender.
func (l *loop) sift() {
	if len(l.idle) == 0 {
		return
	}
	for _, lane := range l.lanes {
		c := lane.next
		if c == nil || c.isRelease || lane.sending != nil || !lane.isOpen() || len(lane.shelves)+len(l.refusals) == 0 {
			continue
		}
		aside := l.takeWaiting(c)
		if len(aside) == 0 {
			continue
		}
		lane.settling++
		l.finished = append(l.finished, settlement{lane: lane, aside: lane.setAside(aside)})
		if len(c.rows) == 0 {
			lane.next = nil
			l.forget(c)
		} else {
			c.first = c.rows[0].position
		}
	}
}

// takeWaiting takes out of a chunk what must wait behind a shelf, or has one that
// is refused.
func (l *loop) takeWaiting(c *chunk) (aside []asideRow) {
	places := l.relay.partitions.shelves(c.rows)
	kept := c.rows[:0]
	for i, r := range c.rows {
		if s, waits := l.shelfOf(c.lane, places[i]); waits {
			aside = append(aside, asideRow{r.position, s})
		} else {
			kept = append(kept, r)
		}
	}
	c.rows = kept
	return aside
}

func (l *loop) shelfOf(lane *lane, at shelf) (shelf, bool) {
	if s, found := lane.shelfFor(at); found {
		return s, true
	}
	return l.isRefused(at)
}

// takeRefused takes out of a chunk what the broker did not accept because of its
// topic or partition. All that is left of such a partition goes with it.
func (l *loop) takeRefused(c *chunk) (aside []asideRow) {
	refused := map[shelf]struct{}{}
	places := l.relay.partitions.shelves(c.rows)
	for i, r := range c.rows {
		if why, found := c.unaccepted[fenceKey(r.topic, r.key)]; found {
			at := places[i]
			refused[at] = struct{}{}
			if l.refusals[at] == nil {
				l.refuse(at, why)
			}
		}
	}
	c.unaccepted = nil
	kept := c.rows[:0]
	for i, r := range c.rows {
		if _, waits := refused[places[i]]; waits {
			at, _ := c.lane.shelfFor(places[i])
			aside = append(aside, asideRow{r.position, at})
		} else {
			kept = append(kept, r)
		}
	}
	c.rows = kept
	return aside
}

// refuse notes that the broker has refused a shelf. No lane waits any longer for
// it to get empty.
func (l *loop) refuse(s shelf, why error) {
	if l.refusals == nil {
		l.refusals = map[shelf]*refusal{}
	}
	if l.refusals[s] == nil {
		l.refusals[s] = &refusal{}
	}
	l.refusals[s].failed(firstRetry, maxShelfRetry)
	l.refusals[s].why = why
	for _, lane := range l.lanes {
		if state := lane.shelves[s]; state != nil {
			state.isClosing = false
		}
	}
}

// nextShelf is which shelf is to be read next, and when: one that is accepted at
// once, one that was refused when its pause ends and by one lane at a time. No
// lane means none.
func (l *loop) nextShelf() (next *lane, from shelf, due time.Time) {
	tried := map[shelf]struct{}{}
	for _, lane := range l.lanes {
		if lane.aside != nil {
			tried[lane.aside.shelf] = struct{}{}
		}
	}
	for _, lane := range l.lanes {
		if lane.aside != nil || lane.isAsideSettling || !lane.canStart() || lane.isReleasing() {
			continue
		}
		for s, state := range lane.shelves {
			if state.isEmpty && state.unrecorded > 0 {
				continue
			}
			at := state.again.at
			if refused := l.refusals[s]; refused != nil {
				at = latest(at, refused.at)
				if _, isTried := tried[s]; isTried {
					continue
				}
			}
			if lane.mayLeave(s) && (next == nil || at.Before(due)) {
				next, from, due = lane, s, at
			}
		}
	}
	return next, from, due
}

// readShelf reads what is to leave a shelf. It reports whether it reads. Between
// two such reads the lanes have their turn.
func (l *loop) readShelf(ctx context.Context) bool {
	if l.wasShelf {
		l.wasShelf = false
		if !time.Now().Before(l.readDue()) && len(l.hungry()) > 0 {
			return false
		}
	}
	lane, from, due := l.nextShelf()
	if lane == nil || time.Now().Before(due) {
		return false
	}
	l.wasShelf = true
	page := l.relay.cfg.ChunkEvents
	if l.refusals[from] != nil {
		page = min(page, probeEvents)
	}
	state := lane.shelves[from]
	state.isChanged = state.unrecorded > 0
	lane.aside = &chunk{lane: lane, isRelease: true, shelf: from}
	l.startRead(ctx, func(limited context.Context) readResult {
		res := l.relay.store.readShelf(limited, lane, from, page)
		res.isShort = len(res.lanes) > 0 && len(res.lanes[0].rows) < page
		return res
	})
	return true
}

func (l *loop) tookShelf(res readResult) {
	lane := res.request.lanes[0].lane
	c := lane.aside
	state := lane.shelves[c.shelf]
	if res.err != nil || l.lanes[lane.id] != lane || !lane.canStart() {
		lane.aside = nil
		if res.err != nil && !interrupted(res.err) {
			l.relay.metrics.failure("read", res.err)
			l.log.Warn("outbox events that were set aside are not read yet", "lane", lane.id, "topic", c.shelf.topic, "error", res.err)
			state.again.failed(firstRetry, maxRetry)
			state.isClosing = false
		}
		return
	}
	state.again.succeeded()
	got := &res.lanes[0]
	isAccepted := l.refusals[c.shelf] == nil
	if state.isEmpty = len(got.rows) == 0; state.isEmpty {
		lane.aside = nil
		if state.isClosing = state.isChanged && isAccepted; !state.isChanged {
			delete(lane.shelves, c.shelf)
			l.prune()
		}
		return
	}
	state.isClosing = res.isShort && isAccepted
	c.rows, c.first, c.parkedMicros = got.rows, got.rows[0].position, res.parkedMicros
	c.useMemory(got.memory)
	got.memory = nil
}

// prune forgets the refusals of what no lane has to try any more.
func (l *loop) prune() {
	maps.DeleteFunc(l.refusals, func(s shelf, _ *refusal) bool {
		for _, lane := range l.lanes {
			if lane.shelves[s] != nil {
				return false
			}
		}
		return true
	})
}

// asideRound is what of shelves is to be sent together: what flows apart from
// what was refused, and fails slowly perhaps. The two take turns, or a long drain
// of one shelf would leave another one untried.
func (l *loop) asideRound() []*chunk {
	var flowing, refused []*chunk
	for _, id := range slices.Sorted(maps.Keys(l.lanes)) {
		lane := l.lanes[id]
		if c := lane.aside; c != nil && len(c.rows) > 0 && lane.canStart() {
			if l.refusals[c.shelf] == nil {
				flowing = append(flowing, c)
			} else {
				refused = append(refused, c)
			}
		}
	}
	if len(flowing) == 0 || l.wasFlowing && len(refused) > 0 {
		return refused
	}
	return flowing
}

// dispatchAside gives what comes from shelves to one sender at most, so that the
// other one is left to the lanes. A try of what was refused ends with ctx, or a
// relay that stops would wait for a topic that nobody waits for.
func (l *loop) dispatchAside(ctx context.Context) {
	if len(l.idle) == 0 || l.isAsideSending || time.Now().After(l.trustedUntil) {
		return
	}
	round := l.asideRound()
	if len(round) == 0 {
		return
	}
	if l.wasFlowing = l.refusals[round[0].shelf] == nil; l.wasFlowing {
		ctx = context.WithoutCancel(ctx)
	}
	for _, c := range round {
		c.lane.isAsideSending, c.lane.asideSince = true, time.Now()
	}
	l.isAsideSending = true
	l.send(ctx, round)
}

// finishAside hands on what of a shelf is settled. The rest is read again.
func (l *loop) finishAside(c *chunk) {
	lane := c.lane
	lane.aside, lane.isAsideSending = nil, false
	if len(c.sent)+len(c.parked) > 0 {
		lane.settling++
		lane.isAsideSettling = true
		l.finished = append(l.finished, settlement{lane: lane, receipts: receipts(c.sent), parked: c.parked, isRelease: true, isAside: true})
		if len(c.parked) > 0 {
			lane.hasFences, lane.unsure = true, true
			l.logParked(lane, c.parked)
		}
	}
	switch {
	case len(c.rows) == 0:
		delete(l.refusals, c.shelf)
	case interrupted(c.failure): // the relay stops
	default:
		l.refuse(c.shelf, c.failure)
		l.relay.metrics.failure("publish", c.failure)
	}
	l.forget(c)
}

// unacceptedRetries is after how many refusals in a row a topic is reported.
const unacceptedRetries = 3

// reportUnaccepted names the topics of which events are set aside. A lane that
// went to another relay took its shelves along.
func (l *loop) reportUnaccepted(now time.Time) {
	l.prune()
	topics := map[string]struct{}{}
	var why error
	for s, r := range l.refusals {
		if r.failures >= unacceptedRetries {
			topics[s.topic], why = struct{}{}, r.why
		}
	}
	if len(topics) > 0 && isTime(&l.unacceptedSaid, now) {
		l.log.Error("the broker accepts no events of some topics; these wait and all others are published; make the topic, let the relay write to it, or bring back its partitions",
			"topics", slices.Sorted(maps.Keys(topics)), "error", why)
	}
}
