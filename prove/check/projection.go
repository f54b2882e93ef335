package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// ProjectionShowsOrders asks that the read model holds each captured order once, in the
// state, at the version and with the lines of its owner. ahead are orders to
// whose topic the prover added versions that their owner does not know.
func ProjectionShowsOrders(orders []history.Order, summaries []history.Summary, ahead map[string]int64) Result {
	r := Result{Name: "the read model has one row for every captured order, at its version"}
	shown := make(map[string]history.Summary, len(summaries))
	for _, s := range summaries {
		if _, twice := shown[s.OrderID]; twice {
			r.problem("order %s is shown twice", s.OrderID)
		}
		shown[s.OrderID] = s
	}
	for _, o := range orders {
		s, ok := shown[o.OrderID]
		delete(shown, o.OrderID)
		switch want := o.Version + ahead[o.OrderID]; {
		case !ok:
			r.problem("order %s is not shown", o.OrderID)
		case s.State != o.State || s.Version != want || s.Lines != o.Lines:
			r.problem("order %s is %s at version %d with %d lines, shown as %s at version %d with %d lines",
				o.OrderID, o.State, want, o.Lines, s.State, s.Version, s.Lines)
		}
	}
	for id := range shown {
		r.problem("order %s is shown and does not exist", id)
	}
	if len(orders) == 0 {
		r.problem("there is no order: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d orders, %d rows in the read model", len(orders), len(summaries))
	return r
}
