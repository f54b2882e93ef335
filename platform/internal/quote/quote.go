package quote

import (
	"fmt"
	"net/http"
	"time"

	"factline.dev/envelope"
	"factline.dev/platform/internal/canonical"
	"factline.dev/platform/internal/money"
	"factline.dev/platform/internal/web"
)

// State is where a quote stands in its life.
type State string

// The states of a quote. SUBMITTED is only seen inside a transaction.
const (
	stateNone               State = "NONE"
	stateDraft              State = "DRAFT"
	statePriced             State = "PRICED"
	stateSubmitted          State = "SUBMITTED"
	statePendingApproval    State = "PENDING_APPROVAL"
	stateApproved           State = "APPROVED"
	stateRejected           State = "REJECTED"
	stateAccepted           State = "ACCEPTED"
	stateExpired            State = "EXPIRED"
	stateCancelled          State = "CANCELLED"
	stateConverted          State = "CONVERTED"
	stateConversionRejected State = "CONVERSION_REJECTED"
)

const (
	serviceActor = "svc_quote"
	maxLines     = 500
	// approvalDue is when an approval request that nobody decided expires.
	approvalDue = 72 * time.Hour
)

// aggregate is a quote of one revision with its lines.
type aggregate struct {
	QuoteID                string           `db:"quote_id"`
	TenantID               string           `db:"tenant_id"`
	QuoteNumber            string           `db:"quote_number"`
	Revision               int              `db:"revision"`
	Version                int64            `db:"version"`
	CustomerID             string           `db:"customer_id"`
	Currency               string           `db:"currency"`
	PriceBookCode          string           `db:"price_book_code"`
	SalesChannel           salesChannel     `db:"sales_channel"`
	State                  State            `db:"state"`
	ValidFrom              *time.Time       `db:"valid_from"`
	ValidUntil             time.Time        `db:"valid_until"`
	CatalogVersionID       string           `db:"catalog_version_id"`
	PriceBookID            string           `db:"price_book_id"`
	PriceBookVersion       int              `db:"price_book_version"`
	DiscountPolicyVersion  int              `db:"discount_policy_version"`
	PricingRunID           string           `db:"pricing_run_id"`
	PricedAt               *time.Time       `db:"priced_at"`
	OneTimeTotal           money.Amount     `db:"one_time_total"`
	RecurringTotal         money.Amount     `db:"recurring_total"`
	ListOneTimeTotal       money.Amount     `db:"list_one_time_total"`
	ListRecurringTotal     money.Amount     `db:"list_recurring_total"`
	DiscountPercent        money.Amount     `db:"discount_percent"`
	ApprovalSignals        *approvalSignals `db:"approval_signals"`
	ApprovalMode           approvalMode     `db:"approval_mode"`
	ApprovalRequestID      string           `db:"approval_request_id"`
	ApprovalCaseID         string           `db:"approval_case_id"`
	ApprovedBy             string           `db:"approved_by"`
	ApprovedAt             *time.Time       `db:"approved_at"`
	SubmittedBy            string           `db:"submitted_by"`
	SubmittedAt            *time.Time       `db:"submitted_at"`
	AcceptedBy             string           `db:"accepted_by"`
	AcceptedAt             *time.Time       `db:"accepted_at"`
	AcceptedEvidenceRef    string           `db:"accepted_evidence_ref"`
	RequestedCompletion    string           `db:"requested_completion"`
	CommercialSnapshotHash string           `db:"commercial_snapshot_hash"`
	OrderID                string           `db:"order_id"`
	ReasonCode             string           `db:"reason_code"`
	CreatedAt              time.Time        `db:"created_at"`
	UpdatedAt              time.Time        `db:"updated_at"`

	Lines []line `db:"-"`
}

type line struct {
	QuoteLineID           string            `db:"quote_line_id"`
	ConfigurationID       string            `db:"configuration_id"`
	ConfigurationHash     string            `db:"configuration_hash"`
	ItemID                string            `db:"item_id"`
	OfferID               string            `db:"offer_id"`
	OfferName             string            `db:"offer_name"`
	ProductCode           string            `db:"product_code"`
	Action                action            `db:"action"`
	Quantity              int               `db:"quantity"`
	Characteristics       map[string]string `db:"characteristics"`
	DependsOn             []string          `db:"depends_on"`
	Required              bool              `db:"required"`
	ManualDiscountPercent money.Amount      `db:"manual_discount_percent"`
	OneTimeTotal          money.Amount      `db:"one_time_total"`
	RecurringTotal        money.Amount      `db:"recurring_total"`
	DiscountPercent       money.Amount      `db:"discount_percent"`
	Site                  *site             `db:"site"`
}

// event is a fact that a decision found, with the step it stands for.
type event struct {
	from, to State
	payload  fact
}

// fact is the payload of an event, a generated type that knows its contract.
type fact interface {
	EventType() string
	EventVersion() int
}

// decision is a quote on its way to a new version: the state machine appends to
// events, the store writes them all.
type decision struct {
	aggregate
	actor  string
	now    time.Time
	events []event
	// before is the version that was loaded.
	before int64
}

func decide(q aggregate, actor string, now time.Time) *decision {
	return &decision{aggregate: q, actor: actor, now: now, before: q.Version}
}

// record moves the quote on and notes the event.
func (d *decision) record(to State, payload fact) {
	d.events = append(d.events, event{from: d.State, to: to, payload: payload})
	d.State = to
	d.Version++
	d.UpdatedAt = d.now
}

func (d *decision) totals() totals {
	return totals{
		OneTimeTotal: d.OneTimeTotal, RecurringTotal: d.RecurringTotal, ListOneTimeTotal: new(d.ListOneTimeTotal),
		ListRecurringTotal: new(d.ListRecurringTotal), DiscountPercent: new(d.DiscountPercent),
	}
}

// present is an optional text of an event, which is absent rather than empty.
func present(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// created is the first step of a quote that draft has built.
func (d *decision) created() {
	drafts := make([]quoteLineDraft, len(d.Lines))
	for i, l := range d.Lines {
		drafts[i] = quoteLineDraft{
			QuoteLineID: l.QuoteLineID, ConfigurationID: l.ConfigurationID, ConfigurationHash: l.ConfigurationHash, ItemID: l.ItemID,
			OfferID: l.OfferID, Action: l.Action, Quantity: l.Quantity, ManualDiscountPercent: l.ManualDiscountPercent,
		}
	}
	d.record(stateDraft, quoteDraftCreated{
		QuoteID: d.QuoteID, QuoteNumber: d.QuoteNumber, QuoteRevision: d.Revision, CustomerID: d.CustomerID,
		Currency: d.Currency, PriceBookCode: d.PriceBookCode, SalesChannel: d.SalesChannel,
		ValidUntil: d.ValidUntil, Lines: drafts, CreatedBy: d.actor,
	})
}

// priced attaches a price to a draft.
func (d *decision) priced(p pricing, book priceBook, runID string) {
	d.PriceBookID, d.PriceBookVersion, d.CatalogVersionID = book.PriceBookID, book.PriceBookVersion, book.CatalogVersionID
	d.DiscountPolicyVersion, d.PricingRunID, d.PricedAt = p.signals.DiscountPolicyVersion, runID, &d.now
	d.OneTimeTotal, d.RecurringTotal = p.totals.OneTimeTotal, p.totals.RecurringTotal
	d.ListOneTimeTotal, d.ListRecurringTotal = p.totals.ListOneTimeTotal, p.totals.ListRecurringTotal
	d.DiscountPercent, d.ApprovalSignals = p.totals.DiscountPercent, &p.signals
	for i, l := range p.lines {
		d.Lines[i].OneTimeTotal, d.Lines[i].RecurringTotal, d.Lines[i].DiscountPercent = l.oneTime, l.recurring, l.discountPercent
	}
	d.record(statePriced, quotePriced{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, Currency: d.Currency,
		PricingRunID: runID, PriceBookID: d.PriceBookID, PriceBookVersion: d.PriceBookVersion,
		DiscountPolicyVersion: d.DiscountPolicyVersion, Totals: d.totals(), ApprovalSignals: p.signals,
		PricedAt: d.now,
	})
}

// pricingFailed leaves the quote a draft.
func (d *decision) pricingFailed(f *pricingFailure, runID string) {
	d.ReasonCode = f.reasonCode
	d.record(stateDraft, quotePricingFailed{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, PricingRunID: runID,
		ReasonCode: f.reasonCode, Violations: f.violations,
	})
}

// market is what a submission is compared with.
type market struct {
	currentBookID       string
	creditHold          bool
	configurationsValid bool
}

func (d *decision) guardSubmission() error {
	switch d.State {
	case statePriced:
		return nil
	case stateDraft:
		return web.Refuse(http.StatusConflict, "quote.not-priced", "The quote has no price yet.")
	case stateExpired:
		return web.Refuse(http.StatusConflict, "quote.expired", "The quote is no longer valid.")
	}
	return web.NotAllowed(string(d.State))
}

func (d *decision) submit(m market) error {
	switch {
	case m.currentBookID != d.PriceBookID:
		return web.Refuse(http.StatusConflict, "quote.price-stale", "A newer price book is in force. Price the quote again.")
	case !m.configurationsValid:
		return web.Refuse(http.StatusConflict, "quote.configuration-expired", "A configuration of the quote is no longer valid.")
	case !d.ValidUntil.After(d.now):
		return web.Refuse(http.StatusConflict, "quote.expired", "The quote is no longer valid.")
	case m.creditHold:
		return web.Refuse(http.StatusUnprocessableEntity, "quote.credit-hold", "The customer's credit is on hold.")
	}
	hash, err := d.snapshotHash()
	if err != nil {
		return err
	}
	d.ValidFrom, d.SubmittedBy, d.SubmittedAt, d.CommercialSnapshotHash = &d.now, d.actor, &d.now, hash
	d.submitted()
	if d.ApprovalSignals.ApprovalRequired {
		d.approvalRequested()
		return nil
	}
	d.approvedAutomatically()
	return nil
}

func (d *decision) submitted() {
	d.record(stateSubmitted, quoteSubmitted{
		QuoteID: d.QuoteID, QuoteNumber: d.QuoteNumber, QuoteRevision: d.Revision, CustomerID: d.CustomerID,
		Currency: d.Currency, SalesChannel: d.SalesChannel, Totals: d.totals(), ValidFrom: d.now,
		ValidUntil: d.ValidUntil, ApprovalSignals: *d.ApprovalSignals,
		CatalogVersionID: d.CatalogVersionID, PriceBookID: d.PriceBookID, PriceBookVersion: d.PriceBookVersion,
		DiscountPolicyVersion: d.DiscountPolicyVersion, PricingRunID: d.PricingRunID,
		CommercialSnapshotHash: d.CommercialSnapshotHash, Lines: d.summaries(), SubmittedBy: d.actor, SubmittedAt: d.now,
	})
}

func (d *decision) summaries() []quoteLineSummary {
	all := make([]quoteLineSummary, len(d.Lines))
	for i, l := range d.Lines {
		all[i] = quoteLineSummary{
			QuoteLineID: l.QuoteLineID, OfferID: l.OfferID, OfferName: l.OfferName, Action: l.Action, Quantity: l.Quantity,
			OneTimeTotal: l.OneTimeTotal, RecurringTotal: l.RecurringTotal, DiscountPercent: l.DiscountPercent,
		}
	}
	return all
}

func (d *decision) approvalRequested() {
	d.ApprovalRequestID = "aprq_" + envelope.NewID()
	d.record(statePendingApproval, quoteApprovalRequested{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, QuoteVersion: int(d.Version) + 1, ApprovalRequestID: d.ApprovalRequestID,
		CustomerID: d.CustomerID, Currency: d.Currency, Totals: d.totals(), ApprovalSignals: *d.ApprovalSignals,
		Lines: d.summaries(), SubmittedBy: d.SubmittedBy, CommercialSnapshotHash: d.CommercialSnapshotHash,
		DueAt: d.now.Add(approvalDue),
	})
}

func (d *decision) approvedAutomatically() {
	d.ApprovalMode, d.ApprovedBy, d.ApprovedAt = "AUTO", serviceActor, &d.now
	d.record(stateApproved, quoteApproved{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, Currency: d.Currency, Totals: d.totals(),
		ApprovalMode: d.ApprovalMode, ApprovedBy: d.ApprovedBy, ApprovedAt: d.now,
		DiscountPolicyVersion: d.DiscountPolicyVersion, ValidUntil: d.ValidUntil,
		CommercialSnapshotHash: d.CommercialSnapshotHash,
	})
}

// acceptance is what a customer agrees to, and how that is shown.
type acceptance struct {
	snapshotHash, acceptedBy, requestedCompletion string
}

func (d *decision) guardAcceptance() error {
	switch d.State {
	case stateApproved:
		return nil
	case stateAccepted, stateConverted, stateConversionRejected:
		return d.alreadyAccepted("The quote was accepted before.")
	case stateExpired:
		return web.Refuse(http.StatusConflict, "quote.expired", "The quote is no longer valid.")
	case stateDraft, statePriced, statePendingApproval, stateRejected:
		return web.Refuse(http.StatusConflict, "quote.not-approved", "The quote is not approved.")
	}
	return web.NotAllowed(string(d.State))
}

func (d *decision) alreadyAccepted(detail string) error {
	p := web.Refuse(http.StatusConflict, "quote.already-accepted", detail)
	p.AcceptedBy = d.AcceptedBy
	if d.AcceptedAt != nil {
		p.AcceptedAt = envelope.FormatTime(*d.AcceptedAt)
	}
	return p
}

func (d *decision) accept(a acceptance) error {
	switch {
	case d.now.After(d.ValidUntil):
		return web.Refuse(http.StatusConflict, "quote.expired", "The quote is no longer valid.")
	case a.snapshotHash != d.CommercialSnapshotHash:
		return web.Refuse(http.StatusConflict, "quote.snapshot-changed", "The quote is not what the customer saw. Read it again and accept that.")
	}
	d.AcceptedBy, d.AcceptedAt, d.RequestedCompletion = a.acceptedBy, &d.now, a.requestedCompletion
	d.AcceptedEvidenceRef = fmt.Sprintf("evidence://quotes/%s/acceptance/%d", d.QuoteID, d.Revision)
	d.record(stateAccepted, quoteAccepted{
		QuoteID: d.QuoteID, QuoteNumber: d.QuoteNumber, QuoteRevision: d.Revision, CustomerID: d.CustomerID,
		Currency: d.Currency, SalesChannel: d.SalesChannel, AcceptedBy: d.AcceptedBy, AcceptedAt: d.now,
		AcceptedEvidenceRef: d.AcceptedEvidenceRef, ValidFrom: *d.ValidFrom,
		ValidUntil: d.ValidUntil, CatalogVersionID: d.CatalogVersionID, PriceBookID: d.PriceBookID,
		PriceBookVersion: d.PriceBookVersion, DiscountPolicyVersion: d.DiscountPolicyVersion, PricingRunID: d.PricingRunID,
		Approval: d.evidence(), Totals: d.totals(), Lines: d.fullLines(),
		CommercialSnapshotHash: d.CommercialSnapshotHash, RequestedCompletionDate: present(d.RequestedCompletion),
	})
	return nil
}

func (d *decision) evidence() approvalEvidence {
	return approvalEvidence{
		ApprovalMode: d.ApprovalMode, ApprovalCaseID: present(d.ApprovalCaseID), ApprovedBy: d.ApprovedBy,
		ApprovedAt:  *d.ApprovedAt,
		EvidenceRef: new(fmt.Sprintf("evidence://policy/%s/%d", d.TenantID, d.DiscountPolicyVersion)),
	}
}

func (q *aggregate) fullLines() []quoteLine {
	all := make([]quoteLine, len(q.Lines))
	for i, l := range q.Lines {
		all[i] = quoteLine{
			QuoteLineID: l.QuoteLineID, ConfigurationID: l.ConfigurationID, ConfigurationHash: l.ConfigurationHash, ItemID: l.ItemID,
			OfferID: l.OfferID, OfferName: l.OfferName, ProductCode: l.ProductCode, Action: l.Action, Quantity: l.Quantity,
			Characteristics: l.Characteristics, DependsOn: l.DependsOn, Required: l.Required, OneTimeTotal: l.OneTimeTotal,
			RecurringTotal: l.RecurringTotal, DiscountPercent: l.DiscountPercent, Site: l.Site,
		}
	}
	return all
}

func (d *decision) guardCancellation() error {
	switch d.State {
	case stateDraft, statePriced, statePendingApproval, stateApproved, stateRejected:
		return nil
	case stateAccepted, stateConverted, stateConversionRejected:
		return d.alreadyAccepted("The quote was accepted. Cancel its order instead.")
	}
	return web.NotAllowed(string(d.State))
}

func (d *decision) cancel(reasonCode, comment string) {
	d.ReasonCode = reasonCode
	d.record(stateCancelled, quoteCancelled{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, LastState: string(d.State),
		ReasonCode: reasonCode, Comment: present(comment), CancelledBy: d.actor, CancelledAt: d.now,
	})
}

// converted notes that an order came of the quote. It reports whether anything
// is to be stored; a repeat is none, and a quote in another state is an error.
func (d *decision) converted(orderID string) (bool, error) {
	switch {
	case d.State == stateConverted && d.OrderID == orderID:
		return false, nil
	case d.State != stateAccepted:
		return false, fmt.Errorf("quote: convert %s: it is %s, not ACCEPTED; an order was captured that this quote does not know", d.QuoteID, d.State)
	}
	d.OrderID = orderID
	d.record(stateConverted, quoteConverted{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, OrderID: orderID,
		ConvertedAt: d.now,
	})
	return true, nil
}

func (d *decision) conversionRejected(r orderCaptureRejected) error {
	if d.State != stateAccepted || d.Revision != r.QuoteRevision {
		return fmt.Errorf("quote: reject conversion of %s: it is %s in revision %d, the capture was of revision %d", d.QuoteID, d.State, d.Revision, r.QuoteRevision)
	}
	d.ReasonCode = string(r.ReasonCode)
	d.record(stateConversionRejected, quoteConversionRejected{
		QuoteID: d.QuoteID, QuoteRevision: d.Revision, CustomerID: d.CustomerID, CaptureID: r.CaptureID,
		ReasonCode: d.ReasonCode, Detail: present(r.Detail), RejectedAt: d.now,
	})
	return nil
}

// snapshotLine is what of a line the customer agrees to: no site, no names.
type snapshotLine struct {
	QuoteLineID       string       `json:"quoteLineId"`
	ConfigurationHash string       `json:"configurationHash"`
	ItemID            string       `json:"itemId"`
	OfferID           string       `json:"offerId"`
	Action            action       `json:"action"`
	Quantity          int          `json:"quantity"`
	OneTimeTotal      money.Amount `json:"oneTimeTotal"`
	RecurringTotal    money.Amount `json:"recurringTotal"`
	DiscountPercent   money.Amount `json:"discountPercent"`
}

// snapshotHash covers what is sold at which price. order-service computes the
// same over QuoteAccepted.
func (q *aggregate) snapshotHash() (string, error) {
	lines := make([]snapshotLine, len(q.Lines))
	for i, l := range q.Lines {
		lines[i] = snapshotLine{l.QuoteLineID, l.ConfigurationHash, l.ItemID, l.OfferID, l.Action, l.Quantity, l.OneTimeTotal, l.RecurringTotal, l.DiscountPercent}
	}
	return canonical.Hash(map[string]any{
		"quoteId": q.QuoteID, "revision": q.Revision, "currency": q.Currency, "validUntil": envelope.FormatTime(q.ValidUntil),
		"priceBookId": q.PriceBookID, "priceBookVersion": q.PriceBookVersion, "discountPolicyVersion": q.DiscountPolicyVersion,
		"oneTimeTotal": q.OneTimeTotal, "recurringTotal": q.RecurringTotal, "lines": lines,
	})
}
