package inbox

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func order(n int) Aggregate {
	return Aggregate{TenantID: "acme", Type: "Order", ID: fmt.Sprintf("ord_%d", n)}
}

func event(a Aggregate, version int64) Event {
	return Event{
		Aggregate: a, Version: version, EventID: fmt.Sprintf("%s/%d", a.ID, version), BlockKey: a.ID, Handled: true,
	}
}

func with(e Event, change func(*Event)) Event {
	change(&e)
	return e
}

func TestDecideJudgesOneRecord(t *testing.T) {
	t.Parallel()
	a := order(1)
	at := func(version int64, id string) map[Aggregate]Position {
		return map[Aggregate]Position{a: {Version: version, EventID: id}}
	}
	blockedAt := func(version int64, id string) map[Key]Block {
		return map[Key]Block{{TenantID: "acme", BlockKey: a.ID}: {Aggregate: a, Version: version, EventID: id}}
	}
	for _, tt := range []struct {
		name string
		view View
		in   Event
		want Verdict
	}{
		{"the first version of a new aggregate is applied", View{}, event(a, 1), Apply},
		{"a type without handler only moves the gate", View{}, with(event(a, 1), func(e *Event) { e.Handled = false }), Advance},
		{"a new aggregate that begins above 1 waits for what is missing", View{}, event(a, 3), HoldGap},
		{"where the log was cut the first version seen is the baseline", View{CutStart: map[int32]bool{0: true}}, event(a, 3), Apply},
		{"the next version is applied", View{Gates: at(4, "x")}, event(a, 5), Apply},
		{"a later version waits", View{Gates: at(4, "x")}, event(a, 6), HoldGap},
		{"a lower version is a duplicate whatever its id", View{Gates: at(4, "x")}, event(a, 3), Duplicate},
		{"the same version with the same id is a duplicate", View{Gates: at(4, "ord_1/4")}, event(a, 4), Duplicate},
		{"the same version with another id is a conflict", View{Gates: at(4, "x")}, event(a, 4), Conflict},
		{"a conflict that was settled before is a duplicate", View{Gates: at(4, "x"), Settled: map[string]bool{"ord_1/4": true}}, event(a, 4), Duplicate},
		{"a broken event is given up", View{Gates: at(4, "x")}, with(event(a, 5), func(e *Event) { e.Fault = Broken }), Dead},
		{"a broken event is given up at once although earlier versions are missing", View{Gates: at(4, "x")}, with(event(a, 9), func(e *Event) { e.Fault = Broken }), Dead},
		{"a broken duplicate is a duplicate", View{Gates: at(4, "x")}, with(event(a, 3), func(e *Event) { e.Fault = Broken }), Duplicate},
		{"an event behind a block waits", View{Gates: at(4, "x"), Blocks: blockedAt(5, "d")}, event(a, 6), HoldBlocked},
		{"an earlier version passes a block", View{Gates: at(4, "x"), Blocks: blockedAt(6, "d")}, event(a, 5), Apply},
		{"the blocking event itself is a duplicate when it comes again", View{Gates: at(4, "x"), Blocks: blockedAt(5, "ord_1/5")}, event(a, 5), Duplicate},
		{"another aggregate of a blocked key waits", View{Blocks: blockedAt(5, "d")}, with(event(order(2), 1), func(e *Event) { e.BlockKey = a.ID }), HoldBlocked},
		{"another tenant's key of the same name does not wait", View{Blocks: blockedAt(5, "d")}, with(event(a, 1), func(e *Event) { e.Aggregate.TenantID = "globex" }), Apply},
		{"an event that failed waits for its next attempt", View{Gates: at(4, "x")}, with(event(a, 5), func(e *Event) { e.Fault = Failed }), Again},
		{"an event that failed and is due is not stopped by its own block", View{Gates: at(4, "x"), Blocks: blockedAt(5, "ord_1/5")}, with(event(a, 5), func(e *Event) { e.Due = true }), Apply},
		{"an event that is due waits behind the block of an earlier one", View{Gates: at(4, "x"), Blocks: blockedAt(5, "d")}, with(event(a, 6), func(e *Event) { e.Due = true }), HoldBlocked},
		{"a redriven event waits for the versions that are missing", View{Gates: at(4, "x"), Blocks: blockedAt(6, "ord_1/6")}, with(event(a, 6), func(e *Event) { e.Due, e.Redriven = true, true }), HoldGap},
		{"where the contract continues, a redriven event is applied behind the later ones", View{Gates: at(7, "x"), Continue: true}, with(event(a, 5), func(e *Event) { e.Due, e.Redriven = true, true }), Apply},
		{"where the contract continues, a redriven event that is broken is given up again", View{Gates: at(7, "x"), Continue: true}, with(event(a, 5), func(e *Event) { e.Due, e.Redriven, e.Fault = true, true, Broken }), Dead},
		{"where the contract continues, a redriven event that the gate passed last is applied", View{Gates: at(5, "ord_1/5"), Continue: true}, with(event(a, 5), func(e *Event) { e.Due, e.Redriven = true, true }), Apply},
		{"where the contract continues, a redriven event whose version another one has is a conflict", View{Gates: at(5, "x"), Blocks: blockedAt(5, "ord_1/5"), Continue: true}, with(event(a, 5), func(e *Event) { e.Due, e.Redriven = true, true }), Conflict},
		{"unordered: an event that failed waits for its next attempt", View{Mode: Unordered}, with(event(a, 7), func(e *Event) { e.Fault = Failed }), Again},
		{"latest: an event that failed and was overtaken is dropped", View{Mode: Latest, Gates: at(8, "x")}, with(event(a, 7), func(e *Event) { e.Fault, e.Due = Failed, true }), Duplicate},
		{"latest: an event that failed is tried again over the one of its version before it", View{Mode: Latest, Gates: at(7, "x")}, with(event(a, 7), func(e *Event) { e.Due, e.GateEventID = true, "x" }), Apply},
		{"latest: an event that failed is dropped where one of its version came while it waited", View{Mode: Latest, Gates: at(7, "y")}, with(event(a, 7), func(e *Event) { e.Due, e.GateEventID = true, "x" }), Duplicate},
		{"an unreadable record is given up", View{}, Event{Fault: Unreadable}, Dead},
		{"unordered: a version of any height is applied", View{Mode: Unordered}, event(a, 7), Apply},
		{"unordered: a broken event is given up", View{Mode: Unordered}, with(event(a, 7), func(e *Event) { e.Fault = Broken }), Dead},
		{"latest: a newer version is applied over a jump", View{Mode: Latest, Gates: at(4, "x")}, event(a, 9), Apply},
		{"latest: an older version is dropped", View{Mode: Latest, Gates: at(4, "x")}, event(a, 3), Duplicate},
		{"latest: another record of the same version is applied", View{Mode: Latest, Gates: at(4, "x")}, event(a, 4), Apply},
		{"latest: the same record again is a duplicate", View{Mode: Latest, Gates: at(4, "ord_1/4")}, event(a, 4), Duplicate},
		{"latest: a tombstone is applied", View{Mode: Latest}, Event{Tombstone: true, Handled: true}, Apply},
		{"latest: a tombstone from before the next offset is a duplicate", View{Mode: Latest}, Event{Tombstone: true, Repeated: true}, Duplicate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := Decide(tt.view, []Event{tt.in}, 1, nil, -1)
			if got := plan.Steps[0].Verdict; got != tt.want {
				t.Errorf("verdict = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDecideWithinOneChunk(t *testing.T) {
	t.Parallel()
	broken := func(e *Event) { e.Fault = Broken }
	for _, tt := range []struct {
		name   string
		events []Event
		// held are the last ones of events, of order 1.
		held  int
		limit int
		view  View
		want  []Step
		more  bool
	}{
		{
			name:   "a record releases what waits for it, right behind it",
			events: []Event{event(order(1), 1), event(order(2), 1), event(order(1), 2), event(order(1), 3), event(order(1), 5)},
			held:   3, limit: -1,
			want: []Step{{0, Apply}, {2, Apply}, {3, Apply}, {1, Apply}},
		},
		{
			name:   "a limit stops the release and says so",
			events: []Event{event(order(1), 1), event(order(1), 2), event(order(1), 3)},
			held:   2, limit: 1,
			want: []Step{{0, Apply}, {1, Apply}},
			more: true,
		},
		{
			name:   "a broken event blocks the later ones of its key and no other key",
			events: []Event{with(event(order(1), 1), broken), event(order(1), 2), event(order(2), 1)},
			limit:  -1,
			want:   []Step{{0, Dead}, {1, HoldBlocked}, {2, Apply}},
		},
		{
			name:   "where the contract continues, a broken event counts as passed",
			events: []Event{with(event(order(1), 1), broken), event(order(1), 2)},
			limit:  -1, view: View{Continue: true},
			want: []Step{{0, Dead}, {1, Apply}},
		},
		{
			name:   "a held event that turns out broken stops the release",
			events: []Event{event(order(1), 1), with(event(order(1), 2), broken), event(order(1), 3)},
			held:   2, limit: -1,
			want: []Step{{0, Apply}, {1, Dead}},
		},
		{
			name:   "a held event that was overtaken goes",
			events: []Event{event(order(1), 2), event(order(1), 2), event(order(1), 3)},
			held:   2, limit: -1, view: View{Gates: map[Aggregate]Position{order(1): {Version: 1}}},
			want: []Step{{0, Apply}, {1, Duplicate}, {2, Apply}},
		},
		{
			name:   "two records of one version with different ids conflict within a chunk",
			events: []Event{event(order(1), 1), with(event(order(1), 1), func(e *Event) { e.EventID = "other" }), event(order(1), 2)},
			limit:  -1,
			want:   []Step{{0, Apply}, {1, Conflict}, {2, HoldBlocked}},
		},
		{
			name:   "an id that comes again with the next version takes no effect",
			events: []Event{event(order(1), 1), with(event(order(1), 2), func(e *Event) { e.EventID = "ord_1/1" }), event(order(1), 3)},
			limit:  -1,
			want:   []Step{{0, Apply}, {1, Duplicate}, {2, HoldGap}},
		},
		{
			name:   "two broken events of a key from the back block it from the first",
			events: []Event{with(event(order(1), 7), broken), with(event(order(1), 1), broken), event(order(1), 2)},
			limit:  -1,
			want:   []Step{{0, Dead}, {1, Dead}, {2, HoldBlocked}},
		},
		{
			name:   "unordered: an id that comes twice is applied once",
			events: []Event{event(order(1), 1), event(order(1), 1)},
			limit:  -1, view: View{Mode: Unordered},
			want: []Step{{0, Apply}, {1, Duplicate}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := len(tt.events) - tt.held
			tt.view.Held = map[Aggregate][]int{}
			for i := n; i < len(tt.events); i++ {
				tt.view.Held[tt.events[i].Aggregate] = append(tt.view.Held[tt.events[i].Aggregate], i)
			}
			plan := Decide(tt.view, tt.events, n, nil, tt.limit)
			if !slices.Equal(plan.Steps, tt.want) {
				t.Errorf("steps = %v, want %v", plan.Steps, tt.want)
			}
			if (len(plan.More) > 0) != tt.more {
				t.Errorf("more = %v, want any: %v", plan.More, tt.more)
			}
		})
	}
}

// database is the model's memory between chunks: what the tables hold.
type database struct {
	gates map[Aggregate]Position
	held  []Event
}

func (db *database) take(chunk []Event, limit int) (applied []Event) {
	events := slices.Clone(chunk)
	view := View{Gates: db.gates, Held: map[Aggregate][]int{}}
	slices.SortStableFunc(db.held, func(a, b Event) int { return int(a.Version - b.Version) })
	for _, h := range db.held {
		view.Held[h.Aggregate] = append(view.Held[h.Aggregate], len(events))
		events = append(events, h)
	}
	var release []Aggregate
	for a := range view.Held {
		release = append(release, a)
	}
	plan := Decide(view, events, len(chunk), release, limit)
	settled := make([]bool, len(events))
	for _, s := range plan.Steps {
		settled[s.Event] = s.Verdict != HoldGap
		if s.Verdict == Apply {
			applied = append(applied, events[s.Event])
		}
	}
	db.held = nil
	for i, e := range events {
		if !settled[i] {
			db.held = append(db.held, e)
		}
	}
	for _, m := range plan.Moves {
		db.gates[m.Aggregate] = m.Position
	}
	return applied
}

// Whatever the broker, the network and the group do to gapless streams (repeat,
// reorder, cut into chunks anywhere), every version is applied once, in order.
func TestDecideAppliesGaplessStreamsOnceInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var deliveries []Event
		last := map[Aggregate]int64{}
		for n := range rapid.IntRange(1, 4).Draw(t, "aggregates") {
			last[order(n)] = int64(rapid.IntRange(1, 8).Draw(t, "versions"))
			for v := int64(1); v <= last[order(n)]; v++ {
				for range rapid.IntRange(1, 3).Draw(t, "deliveries") {
					deliveries = append(deliveries, event(order(n), v))
				}
			}
		}
		deliveries = rapid.Permutation(deliveries).Draw(t, "order")
		db := &database{gates: map[Aggregate]Position{}}
		applied := map[Aggregate]int64{}
		check := func(events []Event) {
			for _, e := range events {
				if e.Version != applied[e.Aggregate]+1 {
					t.Fatalf("%s: version %d applied after %d", e.Aggregate.ID, e.Version, applied[e.Aggregate])
				}
				applied[e.Aggregate] = e.Version
			}
		}
		for len(deliveries) > 0 {
			n := rapid.IntRange(1, len(deliveries)).Draw(t, "chunk")
			check(db.take(deliveries[:n], rapid.IntRange(-1, 2).Draw(t, "limit")))
			deliveries = deliveries[n:]
		}
		check(db.take(nil, -1))
		for a, v := range last {
			if applied[a] != v {
				t.Fatalf("%s: applied up to %d of %d; held %v", a.ID, applied[a], v, db.held)
			}
		}
		if len(db.held) > 0 {
			t.Fatalf("still held: %v", db.held)
		}
	})
}
