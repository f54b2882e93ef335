package order

import (
	"factline.dev/envelope"
)

// requestReady asks for the fulfilment of every line whose dependencies are met.
func (d *decision) requestReady() {
	if d.State != stateInFulfillment {
		return
	}
	for i := range d.Lines {
		if l := &d.Lines[i]; l.State == linePending && d.satisfied(l) {
			d.request(l)
		}
	}
}

func (d *decision) satisfied(l *line) bool {
	for _, on := range l.DependsOn {
		if other := d.line(on); other == nil || other.State != lineCompleted && other.State != lineWaived {
			return false
		}
	}
	return true
}

func (d *decision) request(l *line) {
	due := d.now.Add(lineDue)
	l.Attempt, l.StartedAt, l.RequestedAt, l.DueAt = 1, &d.now, &d.now, &due
	l.FulfillmentRequestID = "ffr_" + envelope.NewID()
	d.recordLine(l, lineStarted, orderLineStarted{
		OrderID: d.OrderID, OrderLineID: l.OrderLineID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, OfferID: l.OfferID,
		ProductCode: l.ProductCode, Action: action(l.Action), Quantity: l.Quantity, SatisfiedDependencies: l.DependsOn, StartedAt: d.now,
	})
	d.recordLine(l, lineRequested, orderLineFulfillmentRequested{
		OrderID: d.OrderID, OrderLineID: l.OrderLineID, QuoteID: d.QuoteID, QuoteLineID: l.QuoteLineID, CustomerID: d.CustomerID,
		Attempt: l.Attempt, FulfillmentKind: "FULFIL", OfferID: l.OfferID, OfferName: l.OfferName, ProductCode: l.ProductCode,
		Action: action(l.Action), Quantity: l.Quantity, Characteristics: l.Characteristics, DependsOn: l.DependsOn,
		DependencyResults: d.results(l), Site: l.Site, RequestedAt: d.now, DueAt: due,
	})
	d.requests = append(d.requests, Request{
		TenantID: d.TenantID, OrderID: d.OrderID, LineID: l.OrderLineID, Attempt: l.Attempt, RequestedAt: d.now,
	})
}

func (d *decision) results(l *line) []dependencyResult {
	all := []dependencyResult{}
	for _, on := range l.DependsOn {
		other := d.line(on)
		delivered := other.FulfilledCharacteristics
		if delivered == nil {
			delivered = map[string]string{}
		}
		all = append(all, dependencyResult{
			OrderLineID: on, ProductCode: other.ProductCode, State: orderLineState(other.State),
			ExternalReference: present(other.ExternalReference), FulfilledCharacteristics: delivered,
		})
	}
	return all
}

// Result is what fulfilment delivered for a line.
type Result struct {
	// LineID and Attempt name the request that is answered.
	LineID  string
	Attempt int
	// ExternalReference is the fulfilment system's own name for it.
	ExternalReference string
	// Characteristics are what was delivered, such as a circuit id.
	Characteristics map[string]string
}

// complete applies a result. It reports false for one that answers no open
// request: a repeat, or an older attempt.
func (d *decision) complete(r Result) bool {
	l := d.line(r.LineID)
	if l == nil || l.State != lineRequested || l.Attempt != r.Attempt {
		return false
	}
	l.EndedAt, l.ExternalReference, l.FulfilledCharacteristics = &d.now, r.ExternalReference, r.Characteristics
	if l.FulfilledCharacteristics == nil {
		l.FulfilledCharacteristics = map[string]string{}
	}
	payload := orderLineFulfillmentCompleted{
		OrderID: d.OrderID, OrderLineID: l.OrderLineID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, Attempt: l.Attempt,
		OfferID: l.OfferID, ProductCode: l.ProductCode, Action: action(l.Action), Quantity: l.Quantity,
		FulfillmentRequestID: l.FulfillmentRequestID, ExternalReference: l.ExternalReference,
		FulfilledCharacteristics: l.FulfilledCharacteristics, RequestedAt: *l.RequestedAt,
		CompletedAt: d.now, Progress: d.progressWith(l, lineCompleted),
	}
	d.recordLine(l, lineCompleted, payload)
	d.requestReady()
	d.finish()
	return true
}

// progressWith counts the lines as they are after l has gone to state.
func (d *decision) progressWith(l *line, state LineState) progress {
	before := l.State
	l.State = state
	p := d.progress()
	l.State = before
	return p
}

func (d *decision) progress() progress {
	p := progress{LinesTotal: len(d.Lines)}
	for _, l := range d.Lines {
		switch l.State {
		case lineCompleted:
			p.LinesCompleted++
		case lineFailed:
			p.LinesFailed++
		case lineWaived:
			p.LinesWaived++
		case lineCancelled:
			p.LinesCancelled++
		default:
			p.LinesOpen++
		}
	}
	return p
}

// finish completes the order when its last line has ended and the completion
// rule holds.
func (d *decision) finish() {
	p := d.progress()
	if d.State != stateInFulfillment || p.LinesOpen > 0 || p.LinesCompleted+p.LinesWaived == 0 || !d.requiredDone() {
		return
	}
	d.CompletedAt, d.Outcome = &d.now, "PARTIAL"
	if p.LinesCompleted == p.LinesTotal {
		d.Outcome = "FULL"
	}
	outcomes := make([]lineOutcome, len(d.Lines))
	for i, l := range d.Lines {
		outcomes[i] = lineOutcome{
			OrderLineID: l.OrderLineID, OfferID: l.OfferID, ProductCode: l.ProductCode, State: orderLineState(l.State), EndedAt: *l.EndedAt,
			ExternalReference: present(l.ExternalReference),
		}
	}
	d.record(stateCompleted, orderCompleted{
		OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, Currency: d.Currency, Totals: d.totals(), Outcome: orderCompletedOutcome(d.Outcome),
		CapturedAt: d.CapturedAt, CompletedAt: d.now, Lines: outcomes, Progress: p,
		CommercialSnapshotHash: d.CommercialSnapshotHash,
	})
}

func (d *decision) requiredDone() bool {
	for _, l := range d.Lines {
		if l.Required && l.State != lineCompleted && l.State != lineWaived {
			return false
		}
	}
	return true
}
