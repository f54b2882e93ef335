package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// NothingWaits asks that after the faults are over nothing is unpublished, parked, held or
// blocked, and the only open dead letters are the expected ones, by service.
func NothingWaits(waiting []history.Waiting, expectedDeadLetters map[string]int64) Result {
	r := Result{Name: "nothing waits, is parked or held back"}
	for _, w := range waiting {
		if w.Unpublished+w.Parked+w.Held+w.Blocked != 0 {
			r.problem("%s: %d unpublished, %d parked, %d held, %d blocked keys", w.Service, w.Unpublished, w.Parked, w.Held, w.Blocked)
		}
		if w.DeadLetters != expectedDeadLetters[w.Service] {
			r.problem("%s has %d open dead letters, %d were caused", w.Service, w.DeadLetters, expectedDeadLetters[w.Service])
		}
	}
	if len(waiting) == 0 {
		r.problem("no service was asked: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d services asked", len(waiting))
	return r
}
