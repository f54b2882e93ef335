package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// OperationsAreWhole asks that what the database holds is what its writers may
// have concluded: an operation with a good answer is there with each of its
// events, one that failed with none, one without an answer either way, and
// nothing is there that nobody wrote.
func OperationsAreWhole(operations []history.Operation, recorded []string, committed []history.Event) Result {
	r := Result{Name: "every writer's transaction is there whole or not at all, as it was told"}
	held := make(map[string]bool, len(recorded))
	for _, id := range recorded {
		held[id] = true
	}
	events := make(map[string]bool, len(committed))
	for _, e := range committed {
		events[e.EventID] = true
	}
	var counts struct{ ok, failed, unknown, done int }
	for _, op := range operations {
		switch op.Outcome {
		case history.OK:
			counts.ok++
			if !held[op.ID] {
				r.problem("%s was answered as committed and is not there", op.ID)
			}
		case history.Failed:
			counts.failed++
			if held[op.ID] {
				r.problem("%s was told to have failed (%s) and is there", op.ID, op.Reason)
			}
		default:
			counts.unknown++
			if held[op.ID] {
				counts.done++
			}
		}
		for _, id := range op.EventIDs {
			if events[id] != held[op.ID] {
				r.problem("%s is there: %v, its event %s: %v; they are one transaction", op.ID, held[op.ID], id, events[id])
			}
			delete(events, id)
		}
		delete(held, op.ID)
	}
	for id := range held {
		r.problem("%s is there and nobody wrote it", id)
	}
	for id := range events {
		r.problem("event %s is committed and nobody wrote it", id)
	}
	if counts.ok == 0 || counts.failed == 0 {
		r.problem("%d operations were done and %d failed: nothing is proved without both", counts.ok, counts.failed)
	}
	r.Observed = fmt.Sprintf("%d done, %d failed or rolled back, %d without an answer, of which %d were done", counts.ok, counts.failed, counts.unknown, counts.done)
	return r
}
