package check

import (
	"bytes"
	"fmt"
	"regexp"

	"factline.dev/prove/history"
)

// ValuesAsCommitted asks that every record of a committed event, first or
// repeated, has the key and the value that were committed with it. The relay
// adds nothing but when it published.
func ValuesAsCommitted(committed []history.Event, log []history.Record) Result {
	r := Result{Name: "every event has the key and value on the log that were committed"}
	byID := make(map[string]history.Event, len(committed))
	for _, e := range committed {
		byID[e.EventID] = e
	}
	// Of the relay's addition only the form is known.
	addition := regexp.MustCompile(`^,"publishedAt":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"}$`)
	compared := 0
	for _, record := range log {
		e, ok := byID[record.EventID]
		if !ok || record.Injected || e.Version == 0 {
			continue
		}
		compared++
		if !asCommitted(e, record.Raw.Value, addition) {
			r.problem("%s %s at %s/%d/%d has another value than was committed", e.EventType, e.EventID, record.Topic, record.Partition, record.Offset)
		}
		if !bytes.Equal(record.Raw.Key, e.Key) {
			r.problem("%s %s at %s/%d/%d has key %q, committed with %q", e.EventType, e.EventID, record.Topic, record.Partition, record.Offset, record.Raw.Key, e.Key)
		}
	}
	if compared == 0 {
		r.problem("no record of a committed event was compared: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d records compared byte by byte", compared)
	return r
}

func asCommitted(e history.Event, got []byte, addition *regexp.Regexp) bool {
	if !e.Stamped {
		return bytes.Equal(got, e.Value)
	}
	rest, ok := bytes.CutPrefix(got, bytes.TrimSuffix(e.Value, []byte("}")))
	return ok && addition.Match(rest)
}
