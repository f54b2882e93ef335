package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// FaultFired asks that the process reached the point and named an event, died by SIGKILL,
// and what it left is the state between the two steps. Anything else makes the
// step inconclusive: it did not test what it says.
func FaultFired(k history.Kill) Result {
	r := Result{Name: "the fault fired: " + k.Point}
	if k.EventID == "" {
		r.problem("the process never reached %s", k.Point)
	}
	if k.PID <= 0 || k.Signal != "killed" {
		r.problem("process %d ended by %q, not by SIGKILL", k.PID, k.Signal)
	}
	if !k.Confirmed {
		r.problem("what was found is not the state between the two steps: %s", k.Evidence)
	}
	r.Observed = fmt.Sprintf("process %d died by SIGKILL %s of event %s; %s", k.PID, k.Point, k.EventID, k.Evidence)
	return r
}

// KilledEventSurvived asks that the event on its way at the kill stands on the log after
// the restart, and took effect.
func KilledEventSurvived(k history.Kill, log []history.Record, inboxes []history.Settled) Result {
	r := Result{Name: "the event on its way survived: " + k.Point}
	occurrences, effects := 0, 0
	for _, record := range log {
		if record.EventID == k.EventID && !record.Injected {
			occurrences++
		}
	}
	for _, s := range inboxes {
		if s.EventID == k.EventID {
			effects++
		}
	}
	if occurrences == 0 {
		r.problem("event %s is not on the log", k.EventID)
	}
	for _, s := range inboxes {
		if s.EventID == k.EventID && s.State != "DONE" {
			r.problem("event %s is %s for %s", k.EventID, s.State, s.Group)
		}
	}
	r.Observed = fmt.Sprintf("event %s: %d times on the log, one effect in each of %d groups", k.EventID, occurrences, effects)
	return r
}
