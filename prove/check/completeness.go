package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// CommittedAreOnLog asks that every event that a database committed stands on the log,
// with the aggregate and version it was committed with, and nothing stands there
// that nobody committed.
func CommittedAreOnLog(committed []history.Event, log []history.Record) Result {
	r := Result{Name: "every committed event is on the log, and nothing else"}
	onLog := make(map[string]history.Record, len(log))
	injected, repeated := 0, 0
	for _, record := range log {
		if record.Injected {
			injected++
			continue
		}
		if record.EventID == "" {
			continue
		}
		if _, ok := onLog[record.EventID]; ok {
			repeated++
		}
		onLog[record.EventID] = record
	}
	known := make(map[string]bool, len(committed))
	events := 0
	for _, e := range committed {
		if e.Version == 0 {
			continue
		}
		events++
		known[e.EventID] = true
		record, ok := onLog[e.EventID]
		switch {
		case !ok:
			r.problem("%s %s of %s %s, version %d, is lost: %s committed it and %s does not hold it",
				e.EventType, e.EventID, e.AggregateType, e.AggregateID, e.Version, e.Service, e.Topic)
		case record.Topic != e.Topic || record.AggregateID != e.AggregateID || record.Version != e.Version || record.EventType != e.EventType:
			r.problem("%s stands on the log as %s %s version %d on %s and was committed as %s %s version %d for %s",
				e.EventID, record.EventType, record.AggregateID, record.Version, record.Topic, e.EventType, e.AggregateID, e.Version, e.Topic)
		}
	}
	for id, record := range onLog {
		if !known[id] {
			r.problem("%s %s at %s/%d/%d was never committed", record.EventType, id, record.Topic, record.Partition, record.Offset)
		}
	}
	if events == 0 {
		r.problem("no event was committed: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d committed events, %d distinct on the log, %d repeated, %d put there by the prover", events, len(onLog), repeated, injected)
	return r
}
