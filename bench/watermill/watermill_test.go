package watermill

import (
	"fmt"
	"testing"

	"factline.dev/internal/benchmark"
)

func TestAnAggregateStaysInOneTableAndInOrder(t *testing.T) {
	t.Parallel()
	var events []benchmark.Event
	for i := range 600 {
		events = append(events, benchmark.Event{ID: fmt.Sprintf("%03d", i), Aggregate: fmt.Sprint(i % 50)})
	}
	tables, last, total := map[string]int{}, map[string]string{}, 0
	for i, part := range (setup{tables: 12}).split(events) {
		for _, e := range part {
			if table, known := tables[e.Aggregate]; known && table != i {
				t.Fatalf("aggregate %s is in tables %d and %d", e.Aggregate, table, i)
			}
			if e.ID < last[e.Aggregate] {
				t.Fatalf("event %s of aggregate %s stands after %s", e.ID, e.Aggregate, last[e.Aggregate])
			}
			tables[e.Aggregate], last[e.Aggregate] = i, e.ID
			total++
		}
	}
	if total != len(events) {
		t.Errorf("%d of %d events are in tables", total, len(events))
	}
}
