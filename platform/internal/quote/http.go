package quote

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/platform/internal/money"
	"factline.dev/platform/internal/web"
)

type lineView struct {
	QuoteLineID     string            `json:"quoteLineId"`
	ConfigurationID string            `json:"configurationId"`
	ItemID          string            `json:"itemId"`
	OfferID         string            `json:"offerId"`
	OfferName       string            `json:"offerName"`
	ProductCode     string            `json:"productCode"`
	Action          string            `json:"action"`
	Quantity        int               `json:"quantity"`
	Characteristics map[string]string `json:"characteristics"`
	DependsOn       []string          `json:"dependsOn"`
	Required        bool              `json:"required"`
	OneTimeTotal    string            `json:"oneTimeTotal"`
	RecurringTotal  string            `json:"recurringTotal"`
	DiscountPercent string            `json:"discountPercent"`
}

type view struct {
	QuoteID                string           `json:"quoteId"`
	QuoteNumber            string           `json:"quoteNumber"`
	Revision               int              `json:"revision"`
	Version                int64            `json:"version" doc:"Equals the ETag"`
	State                  string           `json:"state"`
	CustomerID             string           `json:"customerId"`
	Currency               string           `json:"currency"`
	SalesChannel           string           `json:"salesChannel"`
	PriceBookCode          string           `json:"priceBookCode"`
	ValidUntil             string           `json:"validUntil"`
	Totals                 *totalsView      `json:"totals,omitempty" doc:"Absent until priced"`
	ApprovalSignals        *approvalSignals `json:"approvalSignals,omitempty"`
	ApprovalMode           string           `json:"approvalMode,omitempty"`
	CommercialSnapshotHash string           `json:"commercialSnapshotHash,omitempty" doc:"What an acceptance must repeat"`
	AcceptedBy             string           `json:"acceptedBy,omitempty"`
	AcceptedAt             string           `json:"acceptedAt,omitempty"`
	OrderID                string           `json:"orderId,omitempty"`
	ReasonCode             string           `json:"reasonCode,omitempty" doc:"Why pricing or conversion failed, or why it was cancelled"`
	CreatedAt              string           `json:"createdAt"`
	UpdatedAt              string           `json:"updatedAt"`
	Lines                  []lineView       `json:"lines,omitempty" doc:"Absent in lists"`
}

type totalsView struct {
	OneTimeTotal       money.Amount `json:"oneTimeTotal"`
	RecurringTotal     money.Amount `json:"recurringTotal"`
	ListOneTimeTotal   money.Amount `json:"listOneTimeTotal"`
	ListRecurringTotal money.Amount `json:"listRecurringTotal"`
	DiscountPercent    money.Amount `json:"discountPercent"`
}

func viewOf(q aggregate) view {
	v := view{
		QuoteID: q.QuoteID, QuoteNumber: q.QuoteNumber, Revision: q.Revision, Version: q.Version, State: string(q.State),
		CustomerID: q.CustomerID, Currency: q.Currency, SalesChannel: string(q.SalesChannel), PriceBookCode: q.PriceBookCode,
		ValidUntil: envelope.FormatTime(q.ValidUntil), ApprovalSignals: q.ApprovalSignals, ApprovalMode: string(q.ApprovalMode),
		CommercialSnapshotHash: q.CommercialSnapshotHash, AcceptedBy: q.AcceptedBy, AcceptedAt: timeText(q.AcceptedAt),
		OrderID: q.OrderID, ReasonCode: q.ReasonCode, CreatedAt: envelope.FormatTime(q.CreatedAt), UpdatedAt: envelope.FormatTime(q.UpdatedAt),
	}
	if q.PricedAt != nil {
		v.Totals = &totalsView{q.OneTimeTotal, q.RecurringTotal, q.ListOneTimeTotal, q.ListRecurringTotal, q.DiscountPercent}
	}
	for _, l := range q.Lines {
		v.Lines = append(v.Lines, lineView{
			l.QuoteLineID, l.ConfigurationID, l.ItemID, l.OfferID, l.OfferName, l.ProductCode, string(l.Action), l.Quantity,
			l.Characteristics, l.DependsOn, l.Required, l.OneTimeTotal.String(), l.RecurringTotal.String(), l.DiscountPercent.String(),
		})
	}
	return v
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return envelope.FormatTime(*t)
}

type draftResponse struct {
	QuoteID     string `json:"quoteId"`
	QuoteNumber string `json:"quoteNumber"`
	ValidUntil  string `json:"validUntil"`
	State       string `json:"state" doc:"PRICED, or DRAFT where no price could be given"`
	ReasonCode  string `json:"reasonCode,omitempty"`
}

func (s *Service) draft(ctx context.Context, tx pgx.Tx, c web.Call[draftRequest]) (web.Reply[draftResponse], error) {
	m, err := findMirrors(ctx, tx, c.Tenant, c.Body)
	if err != nil {
		return web.Reply[draftResponse]{}, err
	}
	d, err := draft(c.Tenant, c.Actor, c.Body, m, c.Now)
	if err != nil {
		return web.Reply[draftResponse]{}, err
	}
	return web.Reply[draftResponse]{
		Location: "/quotes/" + d.QuoteID, Version: d.Version,
		Body: draftResponse{d.QuoteID, d.QuoteNumber, envelope.FormatTime(d.ValidUntil), string(d.State), d.ReasonCode},
	}, s.store(ctx, tx, d)
}

// store saves the row and appends the events.
func (s *Service) store(ctx context.Context, tx pgx.Tx, d *decision) error {
	if err := save(ctx, tx, d); err != nil {
		return err
	}
	return appendEvents(ctx, tx, s.outbox, d)
}

// load locks the quote and checks the command in the agreed order: existence,
// state guard, If-Match.
func load[In any](ctx context.Context, tx pgx.Tx, c web.Call[In], guard func(*decision) error) (*decision, error) {
	q, err := find(ctx, tx, "lock_quote", c.Tenant, c.ID)
	if err != nil {
		return nil, err
	}
	d := decide(q, c.Actor, c.Now)
	if err := guard(d); err != nil {
		return nil, err
	}
	return d, c.Precondition(d.Version)
}

type empty struct{}

type submissionResponse struct {
	State                  string `json:"state"`
	ApprovalRequired       bool   `json:"approvalRequired"`
	CommercialSnapshotHash string `json:"commercialSnapshotHash" doc:"What an acceptance must repeat"`
}

func (s *Service) submit(ctx context.Context, tx pgx.Tx, c web.Call[empty]) (reply web.Reply[submissionResponse], err error) {
	d, err := load(ctx, tx, c, (*decision).guardSubmission)
	if err != nil {
		return reply, err
	}
	m, err := findMarket(ctx, tx, d)
	if err != nil {
		return reply, err
	}
	if err := d.submit(m); err != nil {
		return reply, err
	}
	reply.Version = d.Version
	reply.Body = submissionResponse{string(d.State), d.ApprovalSignals.ApprovalRequired, d.CommercialSnapshotHash}
	return reply, s.store(ctx, tx, d)
}

type evidenceRequest struct {
	Method    string `json:"method" enum:"CLICK,SIGNATURE,PO_NUMBER"`
	Reference string `json:"reference" minLength:"1" maxLength:"200" example:"PO-4711"`
}

type acceptanceRequest struct {
	CommercialSnapshotHash  string          `json:"commercialSnapshotHash" minLength:"1" maxLength:"200"`
	AcceptedBy              string          `json:"acceptedBy" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$" example:"cust_tenant_001_1"`
	Evidence                evidenceRequest `json:"evidence"`
	RequestedCompletionDate string          `json:"requestedCompletionDate,omitempty" format:"date"`
}

type acceptanceResponse struct {
	AcceptedAt string `json:"acceptedAt"`
	State      string `json:"state"`
}

func (s *Service) accept(ctx context.Context, tx pgx.Tx, c web.Call[acceptanceRequest]) (reply web.Reply[acceptanceResponse], err error) {
	d, err := load(ctx, tx, c, (*decision).guardAcceptance)
	if err != nil {
		return reply, err
	}
	if err := d.accept(acceptance{c.Body.CommercialSnapshotHash, c.Body.AcceptedBy, c.Body.RequestedCompletionDate}); err != nil {
		return reply, err
	}
	reply.Version = d.Version
	reply.Body = acceptanceResponse{envelope.FormatTime(*d.AcceptedAt), string(d.State)}
	if err := s.store(ctx, tx, d); err != nil {
		return reply, err
	}
	return reply, saveAcceptance(ctx, tx, d, c.Body.Evidence, c.Key)
}

type cancellationRequest struct {
	ReasonCode string `json:"reasonCode" pattern:"^[A-Z0-9_]{2,40}$" example:"CUSTOMER_DECLINED"`
	Comment    string `json:"comment,omitempty" maxLength:"1000"`
}

type cancellationResponse struct {
	State string `json:"state"`
}

func (s *Service) cancel(ctx context.Context, tx pgx.Tx, c web.Call[cancellationRequest]) (reply web.Reply[cancellationResponse], err error) {
	d, err := load(ctx, tx, c, (*decision).guardCancellation)
	if err != nil {
		return reply, err
	}
	d.cancel(c.Body.ReasonCode, c.Body.Comment)
	reply.Version, reply.Body.State = d.Version, string(d.State)
	return reply, s.store(ctx, tx, d)
}

func (s *Service) get(ctx context.Context, tx pgx.Tx, a web.Ask) (web.Reply[view], error) {
	q, err := find(ctx, tx, "find_quote", a.Tenant, a.ID)
	return web.Reply[view]{Version: q.Version, Body: viewOf(q)}, err
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, a web.Ask) (reply web.Reply[web.Page[view]], err error) {
	quotes, err := list(ctx, tx, a)
	views := make([]view, len(quotes))
	for i, q := range quotes {
		views[i] = viewOf(q)
	}
	reply.Body = web.PageOf(views, a.Limit, func(v view) string { return v.QuoteID })
	return reply, err
}

// Routes are the HTTP interface of the service.
func (s *Service) Routes() []web.Route {
	w := s.web
	return []web.Route{
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/quotes", ID: "draftQuote", Status: http.StatusCreated,
			Summary:     "Draft a quote and price it",
			Description: "Prices the selected configurations from the customer's price book right away. Where no price can be given the quote stays a draft and reasonCode says why.",
			Refusals:    map[int][]string{409: {"quote.configuration-unknown"}, 422: {"quote.configuration-expired", "quote.too-many-lines", "quote.currency-mismatch"}},
		}, s.draft),
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/quotes/{id}/submission", ID: "submitQuote", UserCommand: true,
			Summary:     "Submit a priced quote for approval",
			Description: "Within the discount threshold the quote is approved at once; above it, it waits for approval.",
			Refusals:    map[int][]string{409: {"quote.not-priced", "quote.price-stale", "quote.configuration-expired", "quote.expired", "state.transition-not-allowed"}, 422: {"quote.credit-hold"}},
		}, s.submit),
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/quotes/{id}/acceptance", ID: "acceptQuote", UserCommand: true,
			Summary:     "Accept an approved quote",
			Description: "Answers when the acceptance is stored; the order follows. Read the quote or /orders?quoteId= to see it.",
			Refusals:    map[int][]string{409: {"quote.already-accepted", "quote.not-approved", "quote.expired", "quote.snapshot-changed", "state.transition-not-allowed"}},
		}, s.accept),
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/quotes/{id}/cancellation", ID: "cancelQuote", UserCommand: true,
			Summary:  "Cancel a quote before it is accepted",
			Refusals: map[int][]string{409: {"quote.already-accepted", "state.transition-not-allowed"}},
		}, s.cancel),
		web.Query(w, web.Spec{Method: http.MethodGet, Path: "/quotes/{id}", ID: "getQuote", Summary: "Read a quote"}, s.get),
		web.Query(w, web.Spec{
			Method: http.MethodGet, Path: "/quotes", ID: "listQuotes", Summary: "List quotes, oldest first", Lists: true,
			Filters: []web.Filter{{Name: "customerId", Doc: "Only this customer's."}, {Name: "state", Doc: "Only in this state."}},
		}, s.list),
	}
}
