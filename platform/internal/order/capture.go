package order

import (
	"fmt"
	"maps"
	"time"

	"factline.dev/envelope"
	"factline.dev/platform/internal/canonical"
	"factline.dev/platform/internal/money"
)

// mirrorQuote is what this service knows of a quote from its events.
type mirrorQuote struct {
	Revision     int    `db:"revision"`
	ApprovalMode string `db:"approval_mode"`
	SnapshotHash string `db:"snapshot_hash"`
	State        string `db:"state"`
}

// refusedCapture is the result of a capture rule that fails.
type refusedCapture struct{ reasonCode, detail string }

const reasonNotApproved = "QUOTE_NOT_APPROVED"

// captureRules checks an acceptance in the agreed order; the first rule that
// fails decides. known is nil where no event of the quote was seen.
func captureRules(q acceptedQuote, known *mirrorQuote, creditHold bool) (*refusedCapture, error) {
	if len(q.Lines) == 0 {
		return &refusedCapture{"NO_LINES", "The quote has no lines."}, nil
	}
	hash, err := q.snapshotHash()
	if err != nil {
		return nil, err
	}
	acceptedAt, err := time.Parse(time.RFC3339, q.AcceptedAt)
	if err != nil {
		return nil, fmt.Errorf("order: read acceptedAt of quote %s: %w", q.QuoteID, err)
	}
	validUntil, err := time.Parse(time.RFC3339, q.ValidUntil)
	if err != nil {
		return nil, fmt.Errorf("order: read validUntil of quote %s: %w", q.QuoteID, err)
	}
	switch {
	case hash != q.CommercialSnapshotHash, known != nil && known.Revision == q.QuoteRevision && known.SnapshotHash != "" && known.SnapshotHash != hash:
		return &refusedCapture{"SNAPSHOT_HASH_MISMATCH", "The accepted content is not what the hash was made of."}, nil
	case !q.totalsAddUp():
		return &refusedCapture{"TOTALS_MISMATCH", "The totals are not the sums of the lines."}, nil
	case known == nil || known.Revision != q.QuoteRevision || known.ApprovalMode == "":
		return &refusedCapture{reasonNotApproved, "No approval of this revision of the quote was seen."}, nil
	case known.State == "CANCELLED":
		return &refusedCapture{"QUOTE_CANCELLED", "The quote is cancelled."}, nil
	case acceptedAt.After(validUntil):
		return &refusedCapture{"QUOTE_EXPIRED", "The quote was accepted after its end of validity."}, nil
	case creditHold:
		return &refusedCapture{"CUSTOMER_CREDIT_HOLD", "The customer's credit is on hold."}, nil
	case !acyclic(q.Lines):
		return &refusedCapture{"DEPENDENCY_CYCLE", "The lines depend on each other in a circle, or on a line that is not there."}, nil
	}
	return nil, nil
}

func (q acceptedQuote) totalsAddUp() bool {
	var oneTime, recurring money.Amount
	for _, l := range q.Lines {
		oneTime, recurring = oneTime.Add(l.OneTimeTotal), recurring.Add(l.RecurringTotal)
	}
	return oneTime.Cmp(q.Totals.OneTimeTotal) == 0 && recurring.Cmp(q.Totals.RecurringTotal) == 0
}

type snapshotLine struct {
	QuoteLineID       string       `json:"quoteLineId"`
	ConfigurationHash string       `json:"configurationHash"`
	ItemID            string       `json:"itemId"`
	OfferID           string       `json:"offerId"`
	Action            string       `json:"action"`
	Quantity          int          `json:"quantity"`
	OneTimeTotal      money.Amount `json:"oneTimeTotal"`
	RecurringTotal    money.Amount `json:"recurringTotal"`
	DiscountPercent   money.Amount `json:"discountPercent"`
}

// snapshotHash computes from an acceptance what quote-service computed when the
// quote was submitted.
func (q acceptedQuote) snapshotHash() (string, error) {
	lines := make([]snapshotLine, len(q.Lines))
	for i, l := range q.Lines {
		lines[i] = snapshotLine{l.QuoteLineID, l.ConfigurationHash, l.ItemID, l.OfferID, l.Action, l.Quantity, l.OneTimeTotal, l.RecurringTotal, l.DiscountPercent}
	}
	return canonical.Hash(map[string]any{
		"quoteId": q.QuoteID, "revision": q.QuoteRevision, "currency": q.Currency, "validUntil": q.ValidUntil,
		"priceBookId": q.PriceBookID, "priceBookVersion": q.PriceBookVersion, "discountPolicyVersion": q.DiscountPolicyVersion,
		"oneTimeTotal": q.Totals.OneTimeTotal, "recurringTotal": q.Totals.RecurringTotal, "lines": lines,
	})
}

func acyclic(lines []quotedLine) bool {
	graph := make(map[string][]string, len(lines))
	for _, l := range lines {
		graph[l.QuoteLineID] = l.DependsOn
	}
	_, ok := levels(graph)
	return ok
}

// levels returns the topological level of every node, from 1, and false where
// there is a cycle or an edge to no node.
func levels(graph map[string][]string) (map[string]int, bool) {
	level := make(map[string]int, len(graph))
	for len(level) < len(graph) {
		found := map[string]int{}
		for node, edges := range graph {
			if level[node] == 0 {
				if n := levelOf(edges, level); n > 0 {
					found[node] = n
				}
			}
		}
		if len(found) == 0 {
			return nil, false
		}
		maps.Copy(level, found)
	}
	return level, true
}

// levelOf is one above the highest of edges, or 0 while one has no level.
func levelOf(edges []string, level map[string]int) int {
	n := 1
	for _, edge := range edges {
		if level[edge] == 0 {
			return 0
		}
		n = max(n, level[edge]+1)
	}
	return n
}

// capture makes an order of an accepted quote.
func capture(tenant, actor string, q acceptedQuote, now time.Time, sourceEventID string) *decision {
	d := decide(aggregate{
		OrderID: "ord_" + envelope.NewID(), TenantID: tenant, QuoteID: q.QuoteID, QuoteRevision: q.QuoteRevision,
		CustomerID: q.CustomerID, Currency: q.Currency, SalesChannel: q.SalesChannel, State: stateNone,
		OneTimeTotal: q.Totals.OneTimeTotal, RecurringTotal: q.Totals.RecurringTotal, ListOneTimeTotal: q.Totals.ListOneTimeTotal,
		ListRecurringTotal: q.Totals.ListRecurringTotal, DiscountPercent: q.Totals.DiscountPercent,
		CommercialSnapshotHash: q.CommercialSnapshotHash, AcceptedEvidenceRef: q.AcceptedEvidenceRef,
		RequestedCompletionDate: q.RequestedCompletionDate, CapturedAt: now, CreatedAt: now,
	}, actor, now, sourceEventID)
	d.Lines = captureLines(q.Lines)
	summaries := make([]orderLineSummary, len(d.Lines))
	for i, l := range d.Lines {
		summaries[i] = orderLineSummary{OrderLineID: l.OrderLineID, QuoteLineID: l.QuoteLineID, OfferID: l.OfferID, Action: action(l.Action)}
	}
	d.record(stateCaptured, orderCaptured{
		OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, CapturedAt: now, Currency: d.Currency,
		Totals: d.totals(), LineSummaries: summaries, CommercialSnapshotHash: d.CommercialSnapshotHash, LineCount: new(len(d.Lines)),
		SalesChannel: new(salesChannel(d.SalesChannel)), AcceptedEvidenceRef: new(d.AcceptedEvidenceRef), QuoteRevision: new(d.QuoteRevision),
		RequestedCompletionDate: present(d.RequestedCompletionDate),
	})
	return d
}

func captureLines(quoted []quotedLine) []line {
	byQuoteLine := make(map[string]string, len(quoted))
	for _, l := range quoted {
		byQuoteLine[l.QuoteLineID] = "ol_" + envelope.NewID()
	}
	lines := make([]line, len(quoted))
	for i, l := range quoted {
		lines[i] = line{
			OrderLineID: byQuoteLine[l.QuoteLineID], QuoteLineID: l.QuoteLineID, OfferID: l.OfferID, OfferName: l.OfferName,
			ProductCode: l.ProductCode, Action: l.Action, Quantity: l.Quantity, Characteristics: l.Characteristics, Site: l.Site,
			Required: l.Required, State: linePending, OneTimeTotal: l.OneTimeTotal, RecurringTotal: l.RecurringTotal, DependsOn: []string{},
		}
		for _, on := range l.DependsOn {
			lines[i].DependsOn = append(lines[i].DependsOn, byQuoteLine[on])
		}
	}
	return lines
}
