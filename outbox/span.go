package outbox

import (
	"cmp"
	"math"
	"slices"
)

// span is a range of positions of a lane, both ends included.
type span struct{ first, last int64 }

// hole is a span whose rows have not been seen although a later one has: their
// transactions are still open, or were rolled back.
type hole struct {
	span
	// bound is a transaction id taken after the hole was noticed. Whoever took a
	// position in the hole had an id below it, so a snapshot in which every
	// transaction below bound has ended settles the question. 0 = not taken yet.
	bound int64
	// isEmpty says that the hole was read to its end and that nobody who may have
	// rows in it has ended since, up to the lane's snapshot.
	isEmpty bool
}

// openEnd is the upper end of the span that every lane reads next.
const openEnd = math.MaxInt64

// hasSpan reports whether s is among spans, which are in order.
func hasSpan(spans []span, s span) bool {
	at, found := slices.BinarySearchFunc(spans, s.first, func(in span, first int64) int { return cmp.Compare(in.first, first) })
	return found && spans[at] == s
}

// cutHoles returns what stays of holes when the rows at positions, which are
// sorted, have turned up within them.
func cutHoles(holes []hole, positions []int64) []hole {
	if len(positions) == 0 {
		return holes
	}
	kept := make([]hole, 0, len(holes))
	for _, h := range holes {
		from, _ := slices.BinarySearch(positions, h.first)
		for ; from < len(positions) && positions[from] <= h.last; from++ {
			if p := positions[from]; p > h.first {
				kept = append(kept, hole{span: span{h.first, p - 1}, bound: h.bound})
			}
			h.first = positions[from] + 1
		}
		if h.first <= h.last {
			kept = append(kept, h)
		}
	}
	return kept
}

// gaps returns the spans between after and the last of positions, which are
// sorted and above after, that no position fills.
func gaps(after int64, positions []int64) []span {
	var found []span
	for _, p := range positions {
		if p > after+1 {
			found = append(found, span{after + 1, p - 1})
		}
		after = p
	}
	return found
}
