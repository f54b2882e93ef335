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
		visible := map[int64]bool{}
		l := newLane(0, 1, 0)
		seen := map[int64]int{}
		done := 0
		for step := 0; len(seen) < len(order) || step < 5; step++ {
			if step > 500 {
				t.Fatalf("only %d of %d rows came out; holes %v", len(seen), len(order), l.holes)
			}
			spans := l.spans()
			needBound := l.unbounded()
			// What has ended before the read: the lowest open transaction.
			xmin := oldestOpen(order[done:], rowsInAll)
			bound := int64(0)
			if needBound {
				bound = rowsInAll + 1 // ids are handed out up front, so a new id is above all
			}
			for n := rapid.IntRange(0, 5).Draw(t, "commits"); n > 0 && done < len(order); n-- {
				visible[order[done]] = true
				done++
			}
			rows := rowsIn(visible, spans, rapid.IntRange(1, 9).Draw(t, "limit"))
			if bound > 0 {
				l.setBound(bound, spans)
			}
			l.take(rows, spans, xmin)
			for _, r := range rows {
				seen[r.position]++
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

func rowsIn(visible map[int64]bool, spans []span, limit int) []outRow {
	var rows []outRow
	for _, s := range spans {
		n := 0
		for p := s.first; p <= min(s.last, 1000) && n < limit; p++ {
			if visible[p] {
				rows = append(rows, outRow{position: p})
				n++
			}
		}
	}
	slices.SortFunc(rows, func(a, b outRow) int { return int(a.position - b.position) })
	return rows
}

func TestCutHolesKeepsWhatIsNotFilled(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		holes     []hole
		positions []int64
		want      string
	}{
		{"a hole that nothing fills stays", []hole{{span{2, 4}, 7}}, []int64{9}, "[{{2 4} 7}]"},
		{"a row in the middle splits it", []hole{{span{2, 6}, 7}}, []int64{4}, "[{{2 3} 7} {{5 6} 7}]"},
		{"rows at both ends shrink it", []hole{{span{2, 6}, 7}}, []int64{2, 6}, "[{{3 5} 7}]"},
		{"a filled hole goes", []hole{{span{2, 3}, 7}}, []int64{2, 3}, "[]"},
		{"neighbours are not touched", []hole{{span{2, 3}, 1}, {span{5, 9}, 2}}, []int64{3, 4, 5}, "[{{2 2} 1} {{6 9} 2}]"},
	}
	for _, c := range cases {
		if got := fmt.Sprint(cutHoles(c.holes, c.positions)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
