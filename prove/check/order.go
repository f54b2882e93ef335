package check

import (
	"cmp"
	"fmt"
	"slices"

	"factline.dev/prove/history"
)

// FirstOccurrencesInOrder asks that the first occurrences of an aggregate's events stand
// on the log as versions 1, 2, 3 and so on, on one partition.
func FirstOccurrencesInOrder(log []history.Record) Result {
	r := Result{Name: "first occurrences of each aggregate are in version order without gap"}
	type aggregate struct{ topic, tenant, kind, id string }
	type progress struct {
		version   int64
		partition int32
	}
	seen := make(map[string]bool)
	at := make(map[aggregate]progress)
	sorted := slices.Clone(log)
	slices.SortStableFunc(sorted, func(a, b history.Record) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	events := 0
	for _, record := range sorted {
		if record.Injected || record.EventID == "" || seen[record.EventID] {
			continue
		}
		seen[record.EventID] = true
		events++
		key := aggregate{record.Topic, record.Tenant, record.AggregateType, record.AggregateID}
		before, known := at[key]
		if known && before.partition != record.Partition {
			r.problem("%s %s stands on partitions %d and %d of %s", key.kind, key.id, before.partition, record.Partition, key.topic)
		}
		if record.Version != before.version+1 {
			r.problem("%s %s: version %d (%s at %s/%d/%d) follows version %d", key.kind, key.id, record.Version, record.EventType,
				record.Topic, record.Partition, record.Offset, before.version)
		}
		at[key] = progress{max(before.version, record.Version), record.Partition}
	}
	if events == 0 {
		r.problem("the log holds no event: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d first occurrences of %d aggregates", events, len(at))
	return r
}
