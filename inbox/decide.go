package inbox

import (
	"cmp"
	"slices"
)

// View is what the database knows about the aggregates and keys of a chunk.
type View struct {
	Mode Mode
	// CutStart are the partitions whose log had lost its start when the consumer
	// first read them: the first version seen of an aggregate is then its
	// baseline.
	CutStart map[int32]bool
	// Continue lets later events of an ordered key go on after one was given
	// up, where the contract of the topic says so.
	Continue bool
	Gates    map[Aggregate]Position
	Blocks   map[Key]Block
	// Held are the indexes of the held events of an aggregate, in the order of
	// their versions.
	Held map[Aggregate][]int
	// Settled are ids that must not take effect whatever their version says:
	// given up before, or applied with another version.
	Settled map[string]bool
}

// Step is one event and its verdict.
type Step struct {
	// Event is the index of the event.
	Event   int
	Verdict Verdict
}

// Move is the new position of an aggregate.
type Move struct {
	Aggregate Aggregate
	Position  Position
}

// Plan is what to do with a chunk.
type Plan struct {
	// Steps are in the order in which effects must happen. Every record has one;
	// a held event has one when something becomes of it now.
	Steps []Step
	// Moves are the gates that change, ordered by aggregate, so that every
	// transaction locks them in one order.
	Moves []Move
	// FailedAt are, in mode Latest, the ids that the gates had where an event is
	// to be tried again, by the index of the event.
	FailedAt map[int]string
	// More are the aggregates whose held events were not looked at to the end,
	// because of the limit.
	More []Aggregate
}

// Decide judges the first n events, which are records in log order, and the
// held events that become due through them or belong to an aggregate of
// release. At most limit held events are applied; a negative limit is none. It
// uses nothing but its arguments and changes none of them.
func Decide(v View, events []Event, n int, release []Aggregate, limit int) Plan {
	d := &decider{
		view: v, events: events, limit: limit, gates: make(map[Aggregate]Position, n),
		settled: make(map[string]bool, n), cursor: make(map[Aggregate]int),
	}
	d.plan.Steps = make([]Step, 0, n)
	for _, a := range release {
		d.release(a)
	}
	for i := range n {
		verdict := d.judge(&events[i])
		d.plan.Steps = append(d.plan.Steps, Step{Event: i, Verdict: verdict})
		if verdict == Again && v.Mode == Latest {
			d.failedAt(i)
		}
		if verdict == Apply || verdict == Advance || verdict == Dead {
			d.release(events[i].Aggregate)
		}
	}
	d.plan.Moves = d.moves()
	return d.plan
}

type decider struct {
	view   View
	events []Event
	limit  int
	// What changed within this chunk lies over the view.
	gates  map[Aggregate]Position
	blocks map[Key]Block
	// settled are the ids that this chunk applies or gives up.
	settled map[string]bool
	// cursor is how many held events of an aggregate are dealt with.
	cursor map[Aggregate]int
	plan   Plan
}

func (d *decider) judge(e *Event) Verdict {
	switch {
	case e.Fault == Unreadable:
		return Dead
	case e.Tombstone && e.Repeated:
		return Duplicate
	case e.Tombstone:
		return Apply
	case d.view.Settled[e.EventID] || d.settled[e.EventID]:
		return Duplicate
	}
	verdict := d.judgeByMode(e)
	if verdict == Apply || verdict == Dead || verdict == Conflict || verdict == Again {
		d.settled[e.EventID] = true
	}
	return verdict
}

func (d *decider) judgeByMode(e *Event) Verdict {
	switch {
	case d.view.Mode == Ordered:
		return d.judgeOrdered(e)
	case d.view.Mode == Latest:
		return d.judgeLatest(e)
	case e.Fault == Broken:
		return Dead
	case e.Fault == Failed:
		return Again
	}
	return effect(e)
}

func (d *decider) judgeOrdered(e *Event) Verdict {
	gate, counted := d.gate(e.Aggregate)
	counted = counted && e.Version > 0
	if d.view.Continue && counted && e.isLate(gate) {
		return d.judgeLate(e)
	}
	if counted && (e.Version < gate.Version || (e.Version == gate.Version && e.EventID == gate.EventID)) {
		return Duplicate
	}
	if block, blocked := d.block(e.Key()); blocked && block.stops(e) && (!e.Due || e.EventID != block.EventID) {
		if e.EventID == block.EventID {
			return Duplicate
		}
		return HoldBlocked
	}
	baseline := !counted && d.view.CutStart[e.Partition] && e.Version > 1
	next := e.Version == gate.Version+1 || baseline
	switch {
	case counted && e.Version == gate.Version:
		d.stop(e)
		return Conflict
	case e.Fault == Broken && d.view.Continue && e.Version > 0 && !next:
		return HoldGap
	case e.Fault == Broken && d.view.Continue:
		if next {
			d.move(e, baseline)
		}
		return Dead
	case e.Fault == Broken:
		d.stop(e)
		return Dead
	case !next:
		return HoldGap
	case e.Fault == Failed:
		d.stop(e)
		return Again
	}
	d.move(e, baseline)
	return effect(e)
}

// isLate reports whether e was given up, the gate went on without it, and it is
// tried again now. Where another event has its version it is no late one but a
// conflict.
func (e *Event) isLate(gate Position) bool {
	passed := e.Version < gate.Version || (e.Version == gate.Version && e.EventID == gate.EventID)
	return e.Due && e.Redriven && passed
}

// judgeLate judges an event that the later ones of its aggregate did not wait
// for. It moves nothing.
func (d *decider) judgeLate(e *Event) Verdict {
	if e.Fault == Broken {
		return Dead
	}
	return effect(e)
}

func (d *decider) judgeLatest(e *Event) Verdict {
	gate, counted := d.gate(e.Aggregate)
	switch {
	case counted && (e.Version < gate.Version || (e.Version == gate.Version && e.EventID == gate.EventID)):
		return Duplicate
	case counted && e.Due && e.Version == gate.Version && e.GateEventID != gate.EventID:
		return Duplicate // the last on the log wins, and that one came while this waited
	case e.Fault == Broken:
		return Dead
	case e.Fault == Failed:
		return Again
	}
	d.move(e, false)
	return effect(e)
}

func (d *decider) failedAt(i int) {
	gate, _ := d.gate(d.events[i].Aggregate)
	if d.plan.FailedAt == nil {
		d.plan.FailedAt = make(map[int]string)
	}
	d.plan.FailedAt[i] = gate.EventID
}

func effect(e *Event) Verdict {
	if e.Handled {
		return Apply
	}
	return Advance
}

// release goes through the held events of an aggregate as far as they are due.
func (d *decider) release(a Aggregate) {
	held := d.view.Held[a]
	for d.cursor[a] < len(held) {
		if d.limit == 0 {
			d.plan.More = append(d.plan.More, a)
			return
		}
		i := held[d.cursor[a]]
		verdict := d.judge(&d.events[i])
		if verdict == HoldGap || verdict == HoldBlocked {
			return
		}
		d.cursor[a]++
		d.plan.Steps = append(d.plan.Steps, Step{Event: i, Verdict: verdict})
		if verdict == Apply {
			d.limit--
		}
	}
}

func (d *decider) gate(a Aggregate) (Position, bool) {
	if p, ok := d.gates[a]; ok {
		return p, true
	}
	p, ok := d.view.Gates[a]
	return p, ok
}

func (d *decider) block(k Key) (Block, bool) {
	if b, ok := d.blocks[k]; ok {
		return b, true
	}
	b, ok := d.view.Blocks[k]
	return b, ok
}

func (d *decider) move(e *Event, baseline bool) {
	before, _ := d.gate(e.Aggregate)
	d.gates[e.Aggregate] = Position{Version: e.Version, EventID: e.EventID, IsBaseline: baseline || before.IsBaseline}
}

func (d *decider) stop(e *Event) {
	if d.blocks == nil {
		d.blocks = make(map[Key]Block)
	}
	d.blocks[e.Key()] = Block{Aggregate: e.Aggregate, Version: e.Version, EventID: e.EventID}
}

func (d *decider) moves() []Move {
	moves := make([]Move, 0, len(d.gates))
	for a, p := range d.gates {
		if before, ok := d.view.Gates[a]; !ok || before != p {
			moves = append(moves, Move{Aggregate: a, Position: p})
		}
	}
	slices.SortFunc(moves, func(a, b Move) int {
		return cmp.Or(
			cmp.Compare(a.Aggregate.TenantID, b.Aggregate.TenantID),
			cmp.Compare(a.Aggregate.Type, b.Aggregate.Type),
			cmp.Compare(a.Aggregate.ID, b.Aggregate.ID),
		)
	})
	return moves
}
