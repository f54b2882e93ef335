package check

import (
	"fmt"
	"time"

	"factline.dev/prove/history"
)

// CrashKilledAll asks that a whole platform died by SIGKILL: services and broker
// by their wait status, and the database with all its processes and without a
// shutdown. One that was starting may not have come to a server yet, so there
// only the shutdown counts. Anything else makes the step inconclusive.
func CrashKilledAll(c history.Crash) Result {
	r := Result{Name: "all of it was killed"}
	if c.PID <= 0 || c.Signal != "killed" {
		r.problem("process %d ended by %q, not by SIGKILL", c.PID, c.Signal)
	}
	if c.WasUp && (len(c.Servers) == 0 || !c.IsUnclean) {
		r.problem("of the database %d processes were killed, and it shut down cleanly (%v): it did not die with the services", len(c.Servers), !c.IsUnclean)
	}
	if c.IsShutDown {
		r.problem("the database shut down when the services had died: its control file says so")
	}
	r.Observed = fmt.Sprintf("process %d and %d of PostgreSQL died by SIGKILL within %s", c.PID, len(c.Servers), c.Dead.Sub(c.At).Round(time.Millisecond))
	if c.Late > 0 {
		r.Observed += fmt.Sprintf(", %d of them came up meanwhile and were killed after it", c.Late)
	}
	return r
}

// Work is what a crash fell upon.
type Work struct {
	// Unpublished events were committed before the crash and first came to the
	// log after it.
	Unpublished int
	// Unapplied effects were done after the crash by events that stood on the log
	// before it.
	Unapplied int
	// Unanswered acceptances had reached a platform that was up, or were on their
	// way to it.
	Unanswered int
}

// IsNone reports that nothing was under way.
func (w Work) IsNone() bool { return w == Work{} }

// UnderWay finds, in what databases and log say in the end, what each crash fell
// upon. What happened while processes died counts for neither side.
func UnderWay(crashes []history.Crash, committed []history.Event, log []history.Record, inboxes []history.Settled) []Work {
	published := make(map[string]time.Time, len(committed))
	for _, record := range log {
		if at, ok := published[record.EventID]; !record.Injected && (!ok || record.At.Before(at)) {
			published[record.EventID] = record.At
		}
	}
	works := make([]Work, len(crashes))
	for i, c := range crashes {
		// Records know the millisecond alone.
		dead := c.Dead.Truncate(time.Millisecond)
		for _, e := range committed {
			if at, ok := published[e.EventID]; e.At.Before(c.At) && (!ok || !at.Before(dead)) {
				works[i].Unpublished++
			}
		}
		for _, s := range inboxes {
			if at, ok := published[s.EventID]; ok && at.Before(c.At) && s.At.After(c.Dead) {
				works[i].Unapplied++
			}
		}
		if c.WasUp {
			works[i].Unanswered = c.Unanswered
		}
	}
	return works
}

// CrashesHitWork asks that crashes fell upon work under way, at least half of
// those that found the platform up. Those of an idle one prove nothing; crashes
// and works are in step.
func CrashesHitWork(crashes []history.Crash, works []Work) Result {
	r := Result{Name: "the kills fell upon work under way"}
	if len(works) != len(crashes) {
		r.problem("%d kills and what %d fell upon: nothing is proved", len(crashes), len(works))
		return r
	}
	hit, up, hitUp := 0, 0, 0
	var total Work
	for i, w := range works {
		if !w.IsNone() {
			hit++
		}
		if crashes[i].WasUp {
			up++
		}
		if crashes[i].WasUp && !w.IsNone() {
			hitUp++
		}
		total.Unpublished += w.Unpublished
		total.Unapplied += w.Unapplied
		total.Unanswered += w.Unanswered
	}
	switch {
	case hit == 0:
		r.problem("%d of %d kills fell upon work under way: nothing is proved; raise the load", hit, len(crashes))
	case 2*hitUp < up:
		r.problem("%d of %d kills that found it up fell upon work under way, fewer than half: too little is proved; raise the load", hitUp, up)
	}
	r.Observed = fmt.Sprintf("%d of %d kills, %d of %d that found it up: %d events not yet published, %d effects not yet done, %d acceptances not yet answered",
		hit, len(crashes), hitUp, up, total.Unpublished, total.Unapplied, total.Unanswered)
	return r
}
