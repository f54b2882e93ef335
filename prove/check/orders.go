package check

import (
	"fmt"

	"factline.dev/prove/history"
)

// OneOrderPerQuote asks that what clients were told is accepted is accepted in the
// database, every accepted quote has exactly one order, no order lacks its
// quote, and every order came to its end with its lines.
func OneOrderPerQuote(quotes []history.Quote, accepted []history.AcceptedQuote, orders []history.Order) Result {
	r := Result{Name: "exactly one completed order for every accepted quote"}
	inDatabase := make(map[string]history.AcceptedQuote, len(accepted))
	for _, q := range accepted {
		inDatabase[q.QuoteID] = q
	}
	ok, unknown := 0, 0
	for _, q := range quotes {
		switch _, found := inDatabase[q.QuoteID]; {
		case q.Outcome == history.OK && !found:
			r.problem("quote %s was answered as accepted and is not accepted in the database", q.QuoteID)
		case q.Outcome == history.Failed:
			r.problem("quote %s could not be accepted: %s", q.QuoteID, q.Reason)
		case q.Outcome == history.OK:
			ok++
		default:
			unknown++
		}
	}
	byQuote := make(map[string][]history.Order)
	for _, o := range orders {
		byQuote[o.QuoteID] = append(byQuote[o.QuoteID], o)
		if _, found := inDatabase[o.QuoteID]; !found {
			r.problem("order %s has no accepted quote (%s)", o.OrderID, o.QuoteID)
		}
		if o.State != "COMPLETED" || o.Lines == 0 {
			r.problem("order %s is %s with %d lines", o.OrderID, o.State, o.Lines)
		}
	}
	for _, q := range accepted {
		found := byQuote[q.QuoteID]
		switch {
		case len(found) != 1:
			r.problem("quote %s has %d orders", q.QuoteID, len(found))
		case q.State != "CONVERTED" || q.OrderID != found[0].OrderID:
			r.problem("quote %s is %s with order %q, which is %s", q.QuoteID, q.State, q.OrderID, found[0].OrderID)
		}
	}
	if ok == 0 {
		r.problem("no quote was accepted: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d acceptances answered, %d without answer, %d accepted in the database, %d orders", ok, unknown, len(accepted), len(orders))
	return r
}

// EveryQuoteAnswered asks that no quote was left without a clear answer. It is
// for a load that ends on a platform that is up and stays so: there its clients
// send until they are answered, and one that never is found a platform that
// refuses its work for good.
func EveryQuoteAnswered(quotes []history.Quote) Result {
	r := Result{Name: "every quote was answered in the end"}
	unknown := 0
	for _, q := range quotes {
		if q.Outcome == history.OK || q.Outcome == history.Failed {
			continue
		}
		unknown++
		name := "a quote without id"
		if q.QuoteID != "" {
			name = "quote " + q.QuoteID
		}
		r.problem("%s was never answered, in %d requests: %s", name, q.Requests, q.Reason)
	}
	if len(quotes) == 0 {
		r.problem("there is no quote: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d of %d without a clear answer", unknown, len(quotes))
	return r
}
