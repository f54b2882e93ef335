package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"factline.dev/prove/history"
)

// manyConnections do not all end by the hand of their client, as those of a
// relay that stands by or is killed may.
const manyConnections = 10

// ConnectionsWereCut asks that each kind of server lost at least so many
// connections, some of them in use and some without the answer to a request, and
// every client that had many lost some. Anything else makes the step
// inconclusive.
func ConnectionsWereCut(cuts []history.Cut, atLeast int) Result {
	r := Result{Name: "connections were cut in use"}
	servers := map[string]history.Cut{"database": {}, "broker": {}}
	for _, c := range cuts {
		if c.Connections >= manyConnections && c.Cut == 0 {
			r.problem("%s kept each of its %d connections to the %s: it was not in the storm", c.Client, c.Connections, c.Server)
		}
		total := servers[c.Server]
		total.Cut += c.Cut
		total.Busy += c.Busy
		total.Unanswered += c.Unanswered
		total.Torn += c.Torn
		servers[c.Server] = total
	}
	for _, server := range slices.Sorted(maps.Keys(servers)) {
		c := servers[server]
		if c.Cut < atLeast {
			r.problem("%d connections to the %s were cut, fewer than %d", c.Cut, server, atLeast)
		}
		if c.Busy == 0 || c.Unanswered == 0 {
			r.problem("of the connections to the %s %d were cut in use and %d without an answer: nothing is proved about it without both", server, c.Busy, c.Unanswered)
		}
		r.Observed += fmt.Sprintf("; %s: %d cut, %d in use, %d after an answer was thrown away, %d within a request", server, c.Cut, c.Busy, c.Unanswered, c.Torn)
	}
	r.Observed = strings.TrimPrefix(r.Observed, "; ")
	return r
}

// ConnectionsWentSilent asks that connections to the database went silent while
// new ones passed, and that somebody still used one. Anything else makes the step
// inconclusive.
func ConnectionsWentSilent(cuts []history.Cut) Result {
	r := Result{Name: "connections went silent while new ones passed"}
	silenced, ignored := 0, 0
	for _, c := range cuts {
		if c.Server == "database" {
			silenced += c.Silenced
			ignored += c.Ignored
		}
	}
	if ignored == 0 {
		r.problem("%d connections to the database went silent, and nobody asked anything on one of them: nothing is proved about it", silenced)
	}
	r.Observed = fmt.Sprintf("%d to the database, %d of them used after that", silenced, ignored)
	return r
}

// LanesChangedHands asks that relays took lanes over from each other, which is
// what more than one of them is for. A relay that joins is handed its share
// without any fault, so only what came after settled counts. Anything else makes
// the step inconclusive.
func LanesChangedHands(settled, takeovers map[string]int, where string) Result {
	r := Result{Name: "relays took lanes over from each other"}
	before, known := settled[where]
	switch {
	case !known:
		r.problem("nobody saw the lanes of %s shared before the storm: what is a takeover cannot be told", where)
	case takeovers[where] <= before:
		r.problem("no lane of %s changed hands after the relays had shared them: two relays proved no more than one", where)
	}
	r.Observed = fmt.Sprintf("%d times in %d databases, beside %d by sharing", sum(takeovers)-sum(settled), len(takeovers), sum(settled))
	return r
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// SignalsFired asks that a process was seen to stand still by SIGSTOP and one to
// die by SIGKILL. Anything else makes the step inconclusive.
func SignalsFired(signals []history.Signal) Result {
	r := Result{Name: "processes were paused and killed"}
	fired := make(map[string]int)
	for _, s := range signals {
		switch {
		case !s.Confirmed:
			r.problem("%s, process %d, was sent %s and was not seen to obey", s.Client, s.PID, s.Name)
		case s.Name == "SIGKILL" && s.Ending != "killed":
			r.problem("%s, process %d, ended by %q, not by SIGKILL", s.Client, s.PID, s.Ending)
		default:
			fired[s.Name]++
		}
	}
	for _, name := range []string{"SIGSTOP", "SIGKILL"} {
		if fired[name] == 0 {
			r.problem("no process obeyed %s", name)
		}
	}
	r.Observed = fmt.Sprintf("%d stood still, %d died", fired["SIGSTOP"], fired["SIGKILL"])
	return r
}

// PartitionsMoved asks that while a member could not reach the broker others
// were given partitions that it held when that began: those of a member that may
// still be at work on them. Anything else makes the step inconclusive.
func PartitionsMoved(mishaps []history.Mishap, assignments []history.Assignment) Result {
	r := Result{Name: "partitions moved away from members that were cut off"}
	cutOff, moved := 0, 0
	for _, m := range mishaps {
		if !strings.HasPrefix(m.Client, "member") || !strings.HasPrefix(m.What, "broker") {
			continue
		}
		cutOff++
		moved += len(takenFrom(m, assignments))
	}
	if moved == 0 {
		r.problem("%d times a member was cut off from the broker, and none of its partitions went to another one meanwhile: three members proved no more than one", cutOff)
	}
	r.Observed = fmt.Sprintf("%d, while a member was cut off from the broker, which happened %d times", moved, cutOff)
	return r
}

// takenFrom are the partitions that a mishap's client held when it began and
// that others were given before it ended.
func takenFrom(m history.Mishap, assignments []history.Assignment) map[string]bool {
	held, taken := history.Holders(assignments, m.From), make(map[string]bool)
	for _, a := range assignments {
		if a.Member == m.Client || !a.At.After(m.From) || !a.At.Before(m.To) {
			continue
		}
		for _, partition := range a.Partitions {
			if held[partition] == m.Client {
				taken[partition] = true
			}
		}
	}
	return taken
}

// ToldIsNotAhead asks that the broker was told of no offset beyond the effects:
// a new member would skip what lies between.
func ToldIsNotAhead(reached, told map[string]int64) Result {
	r := Result{Name: "the broker knows no offset beyond the effects"}
	for at, offset := range told {
		if offset > reached[at] {
			r.problem("%s: the broker was told %d, effects reach %d", at, offset, reached[at])
		}
	}
	if len(told) == 0 || len(reached) == 0 {
		r.problem("the broker was told of %d partitions, the database holds %d: nothing is proved", len(told), len(reached))
	}
	r.Observed = fmt.Sprintf("%d partitions", len(told))
	return r
}

// EndedAsAsked asks that relays and members ran until they were told to stop,
// and then stopped without an error. endings are by name, empty for a good one.
func EndedAsAsked(endings map[string]string) Result {
	r := Result{Name: "relays and members ran to the end and stopped when told"}
	for name, ending := range endings {
		if ending != "" {
			r.problem("%s: %s", name, ending)
		}
	}
	if len(endings) == 0 {
		r.problem("nothing ran: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d of them", len(endings))
	return r
}
