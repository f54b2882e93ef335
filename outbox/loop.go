package outbox

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// loop is one run of a relay: it alone holds the state of the lanes. Reads,
// sends and recordings run beside it, at most one read and one recording at a
// time, and report back through channels.
type loop struct {
	relay *Relay
	log   *slog.Logger
	lanes map[int16]*lane

	// trustedUntil is when another relay may believe our lanes are free. It is
	// counted from before the renewal was sent, by the monotonic clock, so it
	// always comes before the database's own limit.
	trustedUntil time.Time
	renewAt      time.Time
	slow         map[int16]int // how often a lane could not be taken over in time

	// company is who lives, as of the last renewal; looks at it run beside.
	company   company
	companies chan companyResult
	looking   bool
	lookAt    time.Time

	reads    chan readResult
	reading  bool
	nextRead time.Time     // when to look without being woken
	pause    time.Duration // between two such looks
	// unreadSince is when the first read began of those that have brought nothing
	// yet, an answer that found no rows included. Zero when none is awaited.
	unreadSince time.Time

	// What failed is tried again, whatever is said meanwhile.
	leaseAgain, readAgain, recordAgain, fencesAgain retry

	idle  []*sender
	sends chan sendResult

	settles  chan settleResult
	settling bool
	finished []settlement

	// refusals is what the broker does not accept now, of any lane.
	refusals       map[shelf]*refusal
	isAsideSending bool      // a sender has what comes from shelves
	wasFlowing     bool      // the last of that was of shelves that are accepted
	wasShelf       bool      // the last read was one of a shelf
	unacceptedSaid time.Time // when an operator was told last
}

// maxUnrecorded bounds how far a lane's sending runs ahead of its receipts: a
// crash repeats at most this many chunks and the one in flight.
const maxUnrecorded = 2

func (l *loop) run(ctx context.Context) error {
	wake := l.wakes()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.drain()
			return nil
		case res := <-l.reads:
			l.tookRead(res)
		case res := <-l.sends:
			l.tookSend(res)
		case res := <-l.settles:
			l.tookSettle(res)
		case res := <-l.companies:
			l.tookCompany(res)
		case <-wake:
			l.woken()
		case <-timer.C:
		}
		l.step(ctx)
		timer.Reset(l.untilNext())
	}
}

func (l *loop) wakes() <-chan struct{} {
	if l.relay.cfg.Outbox == nil {
		return nil
	}
	return l.relay.cfg.Outbox.woken
}

func (l *loop) step(ctx context.Context) {
	if now := time.Now(); !now.Before(l.renewAt) {
		l.renew(ctx)
	}
	l.lookAround(ctx)
	l.handOver(ctx)
	l.refreshFences(ctx)
	l.dispatchAside(ctx)
	l.sift()
	l.dispatch()
	l.record(ctx)
	l.read(ctx)
}

// untilNext is how long nothing but an answer or a wake-up can matter.
func (l *loop) untilNext() time.Duration {
	next := l.renewAt
	if l.fencesAgain.at.Before(next) && len(l.unsure()) > 0 {
		next = l.fencesAgain.at
	}
	if !l.looking && l.lookAt.Before(next) {
		next = l.lookAt
	}
	if at := l.readDue(); !l.reading && at.Before(next) {
		next = at
	}
	if !l.settling && len(l.finished) > 0 && l.recordAgain.at.Before(next) {
		next = l.recordAgain.at
	}
	if lane, _, at := l.nextShelf(); lane != nil && !l.reading && at.Before(next) {
		next = at
	}
	if at := l.retryDue(); !at.IsZero() && at.Before(next) {
		next = at
	}
	return max(time.Until(next), 0)
}

// retryDue is when the next chunk may be sent again, zero where none waits or
// none may be sent: then only an answer or a renewal can change something.
func (l *loop) retryDue() (due time.Time) {
	if len(l.idle) == 0 || time.Now().After(l.trustedUntil) {
		return time.Time{}
	}
	for _, lane := range l.lanes {
		if c := lane.sending; c != nil && !lane.leaving && !lane.unsure && !c.retryAt.IsZero() && (due.IsZero() || c.retryAt.Before(due)) {
			due = c.retryAt
		}
	}
	return due
}

func (l *loop) reportStalls() {
	stalled, holes := 0, 0
	for _, lane := range l.lanes {
		holes += len(lane.holes)
		if lane.isAsideSending && time.Since(lane.asideSince) >= l.relay.cfg.StallAfter {
			stalled++
			l.log.Error("outbox events that were set aside are stalled: nothing was acknowledged; check the broker and the topic",
				"lane", lane.id, "topic", lane.aside.shelf.topic, "since", lane.asideSince)
		}
		f := lane.inFlight
		if lane.sending == nil || time.Since(f.since) < l.relay.cfg.StallAfter {
			continue
		}
		stalled++
		l.log.With(rowKeys(f.first)...).Error("outbox lane is stalled: nothing was acknowledged; check the broker and the topic",
			"lane", lane.id, "since", f.since, "events", f.events, "error", f.failure)
	}
	if !l.unreadSince.IsZero() && time.Since(l.unreadSince) >= l.relay.cfg.StallAfter {
		l.log.Error("outbox is not read: no look at it was answered; check the way to the database", "since", l.unreadSince, "lanes", len(l.lanes))
	}
	l.relay.metrics.stalled.Set(float64(stalled))
	l.relay.metrics.holes.Set(float64(holes))
}

// From so many events or bytes on, a second sender is worth its request to the
// broker.
const (
	spreadEvents = 64
	spreadBytes  = 256 << 10
)

// dispatch gives idle senders the chunks that are ready. What failed before may
// fail again, slowly: where there is a second sender it goes there by itself.
func (l *loop) dispatch() {
	if time.Now().After(l.trustedUntil) {
		return // another relay may own the lanes by now
	}
	for len(l.idle) > 0 {
		round := l.round(len(l.idle))
		if len(round) == 0 {
			return
		}
		l.send(context.Background(), l.start(round))
	}
}

// send gives chunks to an idle sender.
func (l *loop) send(ctx context.Context, chunks []*chunk) {
	s := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	go func() { l.sends <- s.send(ctx, chunks) }()
}

// round is what the next of so many idle senders gets.
func (l *loop) round(idle int) []*lane {
	ready := l.ready()
	if idle == 1 {
		return ready
	}
	failed := slices.DeleteFunc(slices.Clone(ready), func(lane *lane) bool { return lane.sending == nil })
	switch {
	case len(failed) > 0 && len(failed) < len(ready):
		return failed
	case isWorthTwo(ready):
		return ready[:(len(ready)+1)/2]
	}
	return ready
}

func (l *loop) ready() []*lane {
	now := time.Now()
	var ready []*lane
	for _, id := range slices.Sorted(maps.Keys(l.lanes)) {
		lane := l.lanes[id]
		if !lane.canStart() {
			continue
		}
		waiting := lane.sending != nil && !lane.sending.retryAt.IsZero() && !now.Before(lane.sending.retryAt)
		if waiting || lane.sending == nil && lane.next != nil && lane.isOpen() {
			ready = append(ready, lane)
		}
	}
	return ready
}

func isWorthTwo(ready []*lane) bool {
	events, bytes := 0, 0
	for _, lane := range ready {
		c := lane.next
		if lane.sending != nil {
			c = lane.sending
		}
		if events += len(c.rows); events >= spreadEvents {
			return true
		}
		for _, r := range c.rows {
			bytes += len(r.value)
		}
	}
	return bytes >= spreadBytes
}

func (l *loop) start(ready []*lane) []*chunk {
	chunks := make([]*chunk, len(ready))
	for i, lane := range ready {
		if lane.sending == nil {
			lane.sending, lane.next = lane.next, nil
			lane.inFlight = inFlight{since: time.Now()}
		}
		lane.sending.retryAt = time.Time{}
		lane.inFlight.events, lane.inFlight.first = len(lane.sending.rows), lane.sending.rows[0].name()
		chunks[i] = lane.sending
	}
	return chunks
}

func (l *loop) tookSend(res sendResult) {
	l.idle = append(l.idle, res.from)
	l.relay.metrics.sent(res)
	l.isAsideSending = l.isAsideSending && !res.chunks[0].isAside()
	for _, c := range res.chunks {
		switch {
		case l.lanes[c.lane.id] != c.lane:
			l.forget(c) // lost meanwhile; its new owner repeats what we sent
		case c.isAside():
			l.finishAside(c)
		default:
			l.finish(c)
		}
	}
}

// forgetRead gives back what a lost lane has read ahead.
func (l *loop) forgetRead(lost *lane) {
	if lost.next != nil {
		l.forget(lost.next)
	}
	if lost.aside != nil && !lost.isAsideSending {
		l.forget(lost.aside)
	}
}

// forget gives back the memory of a chunk of which nothing is to be sent.
func (l *loop) forget(c *chunk) {
	if c.memory != nil {
		c.memory.sent = c.sent
		l.relay.store.slabs.give(c.memory)
	}
	c.rows, c.sent, c.memory = nil, nil, nil
}

// finish hands the settled part of a chunk on to be recorded and keeps the rest.
func (l *loop) finish(c *chunk) {
	lane := c.lane
	var aside []asideRow
	if len(c.unaccepted) > 0 && !c.isRelease {
		aside = lane.setAside(l.takeRefused(c))
	}
	if len(c.sent)+len(c.parked)+len(aside) > 0 {
		lane.settling++
		l.finished = append(l.finished, settlement{lane: lane, receipts: receipts(c.sent), parked: c.parked, aside: aside, isRelease: c.isRelease})
		if c.isRelease {
			lane.releaseAgain.succeeded()
		}
		lane.hasFences = lane.hasFences || len(c.parked) > 0
		lane.culprits += culprits(c.parked)
		l.logParked(lane, c.parked)
		c.sent, c.parked, c.retries = c.sent[:0], nil, 0
		lane.inFlight.since = time.Now()
	}
	if len(c.rows) == 0 {
		lane.sending = nil
		l.forget(c)
		return
	}
	l.relay.metrics.failure("publish", c.failure)
	if len(c.unaccepted) > 0 {
		// They stay parked, and their keys fenced, until they are tried again.
		lane.releaseAgain.failed(firstRetry, maxShelfRetry)
		lane.sending = nil
		l.forget(c)
		return
	}
	lane.inFlight.failure = c.failure
	c.first = c.rows[0].position
	c.retryAt = time.Now().Add(backoff(c.retries, firstRetry, maxChunkRetry))
	c.retries++
	l.log.With(rowKeys(c.rows[0].name())...).Warn("outbox events are not accepted yet and are tried again",
		"lane", lane.id, "events", len(c.rows), "retry", c.retries, "error", c.failure)
}

func culprits(parked []parkedRow) (found int64) {
	for _, p := range parked {
		if p.isCulprit {
			found++
		}
	}
	return found
}

func (l *loop) logParked(lane *lane, parked []parkedRow) {
	for _, p := range parked {
		l.log.With(rowKeys(p.rowName)...).Error("outbox event is parked; its key waits for an operator", "lane", lane.id, "reason", p.reason)
	}
}

// record writes receipts of everything finished in one transaction.
func (l *loop) record(ctx context.Context) {
	if l.settling || len(l.finished) == 0 || !l.recordAgain.isDue() {
		return
	}
	batch := l.finished
	l.finished = nil
	for i := range batch {
		batch[i].lowWater, batch[i].hasFences = batch[i].lane.lowWater(), batch[i].lane.hasFences
	}
	// In the order in which a renewal locks lanes, or the two wait for each other.
	slices.SortStableFunc(batch, func(a, b settlement) int { return cmp.Compare(a.lane.id, b.lane.id) })
	l.settling = true
	go func() {
		limited, cancel := context.WithTimeout(ctx, l.relay.cfg.LeaseTTL)
		defer cancel()
		l.settles <- l.settle(limited, batch)
	}()
}

// settle runs beside the loop. What is recorded twice counts once, so a
// recording whose answer is lost on a dead connection may be tried again.
func (l *loop) settle(ctx context.Context, batch []settlement) settleResult {
	if !l.relay.partitions.areStored() {
		if err := l.relay.store.exchangePartitions(ctx, l.relay.partitions); err != nil {
			return settleResult{batch: batch, err: err}
		}
	}
	return l.relay.store.settle(ctx, batch)
}

func (l *loop) tookSettle(res settleResult) {
	l.settling = false
	if res.err != nil {
		// The receipts are facts: keep them and write them when the database
		// is back. The lanes do not run ahead meanwhile.
		l.finished = append(res.batch, l.finished...)
		if !interrupted(res.err) {
			l.relay.metrics.failure("receipt", res.err)
			l.log.Warn("outbox receipts are not recorded yet and are tried again", "error", res.err)
		}
		l.recordAgain.failed(firstRetry, maxRetry)
		return
	}
	l.recordAgain.succeeded()
	for i, s := range res.batch {
		s.lane.settling--
		s.lane.recorded = max(s.lane.recorded, s.lowWater)
		s.lane.recordedAside(s.aside)
		if s.isAside {
			s.lane.isAsideSettling = false
		}
		s.lane.unsure = s.lane.unsure || s.isRelease && !s.isAside
		if res.lost[i] && l.lanes[s.lane.id] == s.lane {
			l.log.Warn("outbox lane is lost to another relay", "lane", s.lane.id)
			l.forgetRead(s.lane)
			delete(l.lanes, s.lane.id)
		}
	}
}

// leaveTimeout bounds what a relay does after its DrainTimeout.
const leaveTimeout = 2 * time.Second

// leave gives back the lanes that have nothing in flight and takes this relay
// out of the count. The others are free when their lease ends: what is in flight
// of them may still reach the broker.
func (l *loop) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	for _, lane := range l.lanes {
		lane.leaving = true
	}
	l.handOver(ctx)
	if err := l.relay.store.leave(ctx); err != nil {
		l.log.Warn("outbox relay is not signed off; it counts until its lease ends", "error", err)
	}
}

// drain lets what is in flight finish and gives the lanes back.
func (l *loop) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), l.relay.cfg.DrainTimeout)
	defer cancel()
	for len(l.idle) < senders || l.settling || len(l.finished) > 0 {
		l.record(ctx)
		var again <-chan time.Time
		if !l.settling && len(l.finished) > 0 {
			again = time.After(time.Until(l.recordAgain.at))
		}
		select {
		case res := <-l.sends:
			l.tookSend(res)
		case res := <-l.settles:
			l.tookSettle(res)
		case <-again:
		case <-ctx.Done():
			l.log.Warn("outbox relay stops with events in flight; they are sent again by the next owner")
			l.leave()
			return
		}
	}
	if l.reading {
		<-l.reads
	}
	if l.looking {
		<-l.companies
	}
	if err := l.relay.store.release(ctx); err != nil {
		l.log.Warn("outbox lanes are not given back; they are free when their lease ends", "error", err)
	}
}
