package outbox

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A lane is fed reads of a table in which transactions become visible in any
// order. Whatever it does, each row must come out exactly once, holes must not
// be buried before they are proved dead, and the low-water mark must never pass
// a row that is not out.
func TestALaneReadsEachRowOnceWhateverBecomesVisibleWhen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const rowsInAll = 40
		aborted := map[int64]bool{}
		var order []int64
		for p := int64(1); p <= rowsInAll; p++ {
			if rapid.IntRange(0, 9).Draw(t, "aborts") == 0 {
				aborted[p] = true
			} else {
				order = append(order, p)
			}
		}
		// Every transaction has its id equal to its position here, and becomes
		// visible in a random order near it.
		delay := map[int64]int64{}
		for _, p := range order {
			delay[p] = p + int64(rapid.IntRange(0, 12).Draw(t, "delay"))
		}
		slices.SortStableFunc(order, func(a, b int64) int { return int(delay[a] - delay[b]) })
		commitInVersionOrder(order)
		visible := map[int64]bool{}
		l := newLane(0, 1, 0)
		l.mostHoles = rapid.SampledFrom([]int{1, 2, 3, mostHoles}).Draw(t, "most holes")
		seen, last := map[int64]int{}, map[int64]int64{}
		done := 0
		for step := 0; len(seen) < len(order) || step < 5; step++ {
			if step > 2000 {
				t.Fatalf("only %d of %d rows came out; holes %v", len(seen), len(order), l.holes)
			}
			needBound := l.unbounded()
			// What has ended before the read: the lowest open transaction.
			committed := done
			xmin := oldestOpen(order[done:], rowsInAll)
			bound := int64(0)
			if needBound {
				bound = rowsInAll + 1 // ids are handed out up front, so a new id is above all
			}
			for n := rapid.IntRange(0, 5).Draw(t, "commits"); n > 0 && done < len(order); n-- {
				visible[order[done]] = true
				done++
			}
			l.page = rapid.IntRange(1, 9).Draw(t, "page")
			request := newReadRequest([]*lane{l})
			before := snapshotOf(order, committed)
			rows, cut := rowsIn(visible, request, rapid.IntRange(1, 20).Draw(t, "bytes"))
			if bound > 0 {
				l.setBound(bound, request.lanes[0].spans)
			}
			if request.manyHoles {
				got := laneRows{rows: rows, cut: cut}
				got.cutAt(l.recheck(request.lanes[0].spans, before, snapshotOf(order, done)))
				rows, cut = got.rows, got.cut
			}
			l.take(rows, request.lanes[0].complete(cut), xmin)
			if request.manyHoles {
				l.noteEmpty(request.lanes[0].complete(cut))
			}
			for _, r := range rows {
				seen[r.position]++
				if a := aggregateOf(r.position); r.position < last[a] {
					t.Fatalf("aggregate %d: row %d came out after row %d", a, r.position, last[a])
				} else {
					last[a] = r.position
				}
			}
			for p := int64(1); p <= l.lowWaterAfter(); p++ {
				if !aborted[p] && seen[p] == 0 {
					t.Fatalf("low water %d passed row %d, which never came out", l.lowWaterAfter(), p)
				}
			}
			l.next = nil
		}
		for p, n := range seen {
			if n != 1 {
				t.Fatalf("row %d came out %d times", p, n)
			}
		}
	})
}

// snapshotOf is that after the first done commits of order.
func snapshotOf(order []int64, done int) snapshot {
	s := snapshot{xmin: oldestOpen(order[done:], int64(len(order)*2)), xmax: 1}
	for _, id := range order[:done] {
		s.xmax = max(s.xmax, id+1)
	}
	for _, id := range order[done:] {
		if id < s.xmax {
			s.open = append(s.open, id)
		}
	}
	s.xmin = min(s.xmin, s.xmax)
	return s
}

func (l *lane) lowWaterAfter() int64 {
	next := l.next
	l.next = nil
	defer func() { l.next = next }()
	return l.lowWater()
}

func oldestOpen(open []int64, rowsInAll int64) int64 {
	oldest := rowsInAll + 2
	for _, p := range open {
		oldest = min(oldest, p)
	}
	return oldest
}

const aggregates = 3

func aggregateOf(position int64) int64 { return position * 7 % 11 % aggregates }

// commitInVersionOrder keeps when something commits and changes what: of each
// aggregate the lower position first, as its head row enforces.
func commitInVersionOrder(order []int64) {
	for a := range int64(aggregates) {
		var places []int
		var rows []int64
		for i, p := range order {
			if aggregateOf(p) == a {
				places, rows = append(places, i), append(rows, p)
			}
		}
		slices.Sort(rows)
		for i, place := range places {
			order[place] = rows[i]
		}
	}
}

// rowsIn answers a read of one lane as the database would, every row a byte.
func rowsIn(visible map[int64]bool, request readRequest, maxBytes int) ([]outRow, int64) {
	p := newPages(request, &slabs{}, 0, maxBytes)
	for i, s := range request.lanes[0].spans {
		n := 0
		for at := s.first; at <= min(s.last, 1000) && n < p.spans[i].limit; at++ {
			if visible[at] {
				p.keep(i+1, outRow{position: at}, 1)
				n++
			}
		}
	}
	lanes := p.finish()
	return lanes[0].rows, lanes[0].cut
}

func TestCutHolesKeepsWhatIsNotFilled(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		holes     []hole
		positions []int64
		want      string
	}{
		{"a hole that nothing fills stays", []hole{{span{2, 4}, 7, false}}, []int64{9}, "[{{2 4} 7 false}]"},
		{"a row in the middle splits it", []hole{{span{2, 6}, 7, false}}, []int64{4}, "[{{2 3} 7 false} {{5 6} 7 false}]"},
		{"rows at both ends shrink it", []hole{{span{2, 6}, 7, false}}, []int64{2, 6}, "[{{3 5} 7 false}]"},
		{"a filled hole goes", []hole{{span{2, 3}, 7, false}}, []int64{2, 3}, "[]"},
		{"neighbours are not touched", []hole{{span{2, 3}, 1, false}, {span{5, 9}, 2, false}}, []int64{3, 4, 5}, "[{{2 2} 1 false} {{6 9} 2 false}]"},
	}
	for _, c := range cases {
		if got := fmt.Sprint(cutHoles(c.holes, c.positions)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// Pitfall 9: what is in flight or read ahead is not settled.
func TestLowWaterStaysBelowWhatIsInFlight(t *testing.T) {
	t.Parallel()
	l := newLane(0, 1, 0)
	l.take([]outRow{{position: 1}, {position: 2}}, nil, 0)
	if got := l.lowWater(); got != 0 {
		t.Errorf("low water is %d with rows read ahead, want 0", got)
	}
	l.sending, l.next = l.next, nil
	if got := l.lowWater(); got != 0 {
		t.Errorf("low water is %d with rows in flight, want 0", got)
	}
	l.sending = nil
	if got := l.lowWater(); got != 2 {
		t.Errorf("low water is %d when all is settled, want 2", got)
	}
}
