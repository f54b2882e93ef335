package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// EffectsOnce asks that one event captured one order, each order was captured once and
// has as many transitions and events as its version says. A doubled effect would
// show as a second order of the same cause, or as a version too many.
func EffectsOnce(committed []history.Event, log []history.Record, orders []history.Order) Result {
	r := Result{Name: "each event has had its effect once"}
	captured := make(map[string]int)
	causes := make(map[string]string)
	for _, record := range log {
		if record.Injected || record.EventType != "OrderCaptured" {
			continue
		}
		if before, ok := causes[record.CausationID]; ok && before != record.EventID {
			r.problem("event %s captured two orders: %s and %s", record.CausationID, before, record.EventID)
		}
		causes[record.CausationID] = record.EventID
	}
	versions := make(map[string]int64)
	for _, e := range committed {
		if e.EventType == "OrderCaptured" {
			captured[e.AggregateID]++
		}
		if e.AggregateType == "Order" {
			versions[e.AggregateID] = max(versions[e.AggregateID], e.Version)
		}
	}
	for _, o := range orders {
		if captured[o.OrderID] != 1 {
			r.problem("order %s was captured %d times", o.OrderID, captured[o.OrderID])
		}
		if o.Version != versions[o.OrderID] || o.Transitions != o.Version {
			r.problem("order %s is at version %d, has %d transitions and events up to version %d", o.OrderID, o.Version, o.Transitions, versions[o.OrderID])
		}
	}
	if len(orders) == 0 {
		r.problem("there is no order: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d orders, %d captures by distinct events", len(orders), len(causes))
	return r
}
