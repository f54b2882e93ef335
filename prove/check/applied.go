package check

import (
	"fmt"
	"slices"

	"factline.dev/prove/history"
)

// Handles is what a group has to do something about.
type Handles struct {
	Group, Topic string
	// Types are event types of the topic. A group may handle more.
	Types []string
}

// AppliedOnce asks that every inbox holds each event once and as done, and of
// the types that a group handles every event on the topic. Those are the ones
// expected of it and any other that it has done one of. Every group must have
// done something.
func AppliedOnce(inboxes []history.Settled, log []history.Record, expected []Handles) Result {
	r := Result{Name: "every inbox holds each event of its types once, as done"}
	types := make(map[string]string, len(log))
	for _, record := range log {
		types[record.EventID] = record.EventType
	}
	type handled struct{ group, topic, eventType string }
	type settled struct{ group, eventID string }
	kinds := make(map[handled]bool)
	for _, h := range expected {
		for _, eventType := range h.Types {
			kinds[handled{h.Group, h.Topic, eventType}] = true
		}
		if len(h.Types) == 0 {
			r.problem("it is not known what %s handles: nothing is proved about it", h.Group)
		}
	}
	rows := make(map[settled]int, len(inboxes))
	for _, s := range inboxes {
		rows[settled{s.Group, s.EventID}]++
		kinds[handled{s.Group, s.Topic, types[s.EventID]}] = true
		switch {
		case s.State != "DONE":
			r.problem("event %s is %s for %s after %d attempts", s.EventID, s.State, s.Group, s.Attempts)
		case rows[settled{s.Group, s.EventID}] == 2:
			r.problem("event %s stands twice in the inbox of %s", s.EventID, s.Group)
		case types[s.EventID] == "":
			r.problem("event %s is settled for %s and not on the log", s.EventID, s.Group)
		}
	}
	for _, record := range log {
		for kind := range kinds {
			if record.EventID == "" || record.Injected || record.Topic != kind.topic || record.EventType != kind.eventType {
				continue
			}
			if key := (settled{kind.group, record.EventID}); rows[key] == 0 {
				r.problem("%s %s at %s/%d/%d had no effect in %s", record.EventType, record.EventID, record.Topic, record.Partition, record.Offset, kind.group)
				rows[key] = -1 // said once
			}
		}
	}
	for _, h := range expected {
		if !slices.ContainsFunc(inboxes, func(s history.Settled) bool { return s.Group == h.Group }) {
			r.problem("the inbox of %s is empty: nothing is proved about it", h.Group)
		}
	}
	r.Observed = fmt.Sprintf("%d effects by %d groups of %d types", len(inboxes), len(expected), len(kinds))
	return r
}

// LogIsWhole asks that every partition still begins with its first record.
// Retention that has dropped some would look like loss.
func LogIsWhole(log []history.Record) Result {
	r := Result{Name: "the log still holds its first records"}
	type place struct {
		topic     string
		partition int32
	}
	first := make(map[place]int64)
	for _, record := range log {
		at := place{record.Topic, record.Partition}
		if offset, ok := first[at]; !ok || record.Offset < offset {
			first[at] = record.Offset
		}
	}
	for at, offset := range first {
		if offset > 0 {
			r.problem("%s/%d begins at offset %d: its retention has dropped records; use a lower rate or fewer times", at.topic, at.partition, offset)
		}
	}
	r.Observed = fmt.Sprintf("%d records on %d partitions", len(log), len(first))
	return r
}
