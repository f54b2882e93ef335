package outbox

import (
	"context"
	"maps"
	"slices"

	"factline.dev/internal/named"
)

// lookForDecisions doubts the fences of lanes in which other culprits wait than
// the relay knows of: an operator has decided. To load the fences each time would
// cost as much as all that waits behind them, and a rest of the lane.
func (l *loop) lookForDecisions(ctx context.Context) {
	var ids []int16
	for id, lane := range l.lanes {
		if lane.hasFences && !lane.unsure {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	waiting, err := l.relay.store.culprits(ctx, ids)
	if err != nil {
		l.log.Warn("outbox decisions about parked events are not looked for; the next renewal does", "error", err)
		return
	}
	for _, id := range ids {
		l.lanes[id].unsure = waiting[id] != l.lanes[id].culprits
	}
}

// refreshFences asks anew about fences that are in doubt: an operator has decided,
// or parked rows have been sent. It waits until nothing of the lane is under
// way, so that a row that is being parked cannot be missed; a lane that is
// unsure starts nothing meanwhile.
func (l *loop) refreshFences(ctx context.Context) {
	unsure := l.unsure()
	if len(unsure) == 0 || !l.fencesAgain.isDue() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, l.relay.cfg.LeaseTTL/3)
	defer cancel()
	if err := l.relay.store.loadFences(limited, unsure); err != nil {
		l.fencesAgain.failed(firstRetry, maxRetry)
		if ctx.Err() == nil {
			l.log.Warn("outbox fences are not refreshed yet", "error", err)
		}
		return
	}
	l.fencesAgain.succeeded()
	for _, lane := range unsure {
		lane.unsure = false
	}
}

// unsure are the lanes whose fences can be asked for now.
func (l *loop) unsure() (found []*lane) {
	for _, id := range slices.Sorted(maps.Keys(l.lanes)) {
		if lane := l.lanes[id]; lane.unsure && lane.isAtRest() {
			found = append(found, lane)
		}
	}
	return found
}

// readReleased reads parked rows that an operator let go, for the first lane
// that has some and is done with everything else. It reports whether it reads.
func (l *loop) readReleased(ctx context.Context) bool {
	for _, id := range slices.Sorted(maps.Keys(l.lanes)) {
		lane := l.lanes[id]
		if lane.isReleasing() && lane.canStart() && lane.next == nil && lane.sending == nil && lane.settling == 0 {
			l.startRead(ctx, func(limited context.Context) readResult { return l.relay.store.readReleased(limited, lane) })
			return true
		}
	}
	return false
}

func (l *loop) tookReleased(res readResult) {
	lane := res.request.lanes[0].lane
	if lane.aside != nil && len(lane.aside.rows) == 0 {
		l.tookShelf(res)
		return
	}
	if l.lanes[lane.id] != lane {
		return
	}
	if res.err != nil {
		lane.unsure = true
		l.fencesAgain.failed(firstRetry, maxRetry)
		if !interrupted(res.err) {
			l.relay.metrics.failure("read", res.err)
			l.log.Warn("outbox events that were released are not read yet", "lane", lane.id, "error", res.err)
		}
		return
	}
	got := &res.lanes[0]
	if lane.next = newChunk(lane, got.rows); lane.next == nil {
		lane.unsure = true // somebody was faster
		return
	}
	lane.next.isRelease, lane.next.parkedMicros = true, res.parkedMicros
	lane.next.useMemory(got.memory)
	got.memory = nil
}

// readReleased reads as many parked rows of the lane as a chunk may hold.
func (s *store) readReleased(ctx context.Context, l *lane) readResult {
	return s.readParked(ctx, l, s.maxEvents, "read_released", named.Args{"lane": l.id, "page": s.maxEvents})
}

func (s *store) readParked(ctx context.Context, l *lane, page int, name string, args named.Args) readResult {
	request := readRequest{lanes: []wantedLane{{lane: l, id: l.id, page: page, spans: []span{{1, openEnd}}, cut: openEnd}}}
	result := readResult{request: request, isRelease: true}
	limited, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := s.pool.Query(limited, statement(name), args)
	if err != nil {
		result.err = err
		return result
	}
	pages := newPages(request, &s.slabs, s.maxEvents, s.maxBytes)
	result.parkedMicros = map[int64]int64{}
	for !pages.isFull() && rows.Next() {
		columns := rows.RawValues()
		row, parked := columns[:len(columns)-1], columns[len(columns)-1]
		if pages.add(row) != nil {
			break
		}
		result.parkedMicros[bigint(row[columnPosition])] = bigint(parked)
	}
	if pages.isFull() {
		stop() // or the rest would be read to its end
	}
	rows.Close()
	if result.err = pages.err; result.err == nil && !pages.isFull() {
		result.err = rows.Err()
	}
	result.lanes = pages.finish()
	return result
}
