package order

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/platform/internal/web"
)

type lineView struct {
	OrderLineID       string   `json:"orderLineId"`
	QuoteLineID       string   `json:"quoteLineId"`
	OfferID           string   `json:"offerId"`
	OfferName         string   `json:"offerName"`
	ProductCode       string   `json:"productCode"`
	Action            string   `json:"action"`
	Quantity          int      `json:"quantity"`
	Required          bool     `json:"required"`
	State             string   `json:"state"`
	Attempt           int      `json:"attempt"`
	GroupNo           int      `json:"groupNo,omitempty"`
	WaveNo            int      `json:"waveNo,omitempty"`
	DependsOn         []string `json:"dependsOn"`
	ExternalReference string   `json:"externalReference,omitempty"`
	OneTimeTotal      string   `json:"oneTimeTotal"`
	RecurringTotal    string   `json:"recurringTotal"`
	RequestedAt       string   `json:"requestedAt,omitempty"`
	DueAt             string   `json:"dueAt,omitempty"`
	EndedAt           string   `json:"endedAt,omitempty"`
}

type view struct {
	OrderID     string     `json:"orderId"`
	QuoteID     string     `json:"quoteId"`
	Version     int64      `json:"version" doc:"Equals the ETag"`
	State       string     `json:"state"`
	CustomerID  string     `json:"customerId"`
	Currency    string     `json:"currency"`
	Totals      totalsView `json:"totals"`
	CapturedAt  string     `json:"capturedAt"`
	ValidatedAt string     `json:"validatedAt,omitempty"`
	ActivatedAt string     `json:"activatedAt,omitempty"`
	SubmittedAt string     `json:"submittedAt,omitempty"`
	CompletedAt string     `json:"completedAt,omitempty"`
	DueAt       string     `json:"dueAt,omitempty"`
	Outcome     string     `json:"outcome,omitempty" doc:"FULL or PARTIAL"`
	ReasonCode  string     `json:"reasonCode,omitempty"`
	Lines       []lineView `json:"lines,omitempty" doc:"Absent in lists"`
}

type totalsView struct {
	OneTimeTotal       string `json:"oneTimeTotal"`
	RecurringTotal     string `json:"recurringTotal"`
	ListOneTimeTotal   string `json:"listOneTimeTotal"`
	ListRecurringTotal string `json:"listRecurringTotal"`
	DiscountPercent    string `json:"discountPercent"`
}

func viewOf(o aggregate) view {
	v := view{
		OrderID: o.OrderID, QuoteID: o.QuoteID, Version: o.Version, State: string(o.State), CustomerID: o.CustomerID, Currency: o.Currency,
		Totals: totalsView{
			o.OneTimeTotal.String(), o.RecurringTotal.String(), o.ListOneTimeTotal.String(), o.ListRecurringTotal.String(), o.DiscountPercent.String(),
		},
		CapturedAt: envelope.FormatTime(o.CapturedAt), ValidatedAt: timeText(o.ValidatedAt), ActivatedAt: timeText(o.ActivatedAt),
		SubmittedAt: timeText(o.SubmittedAt), CompletedAt: timeText(o.CompletedAt), DueAt: timeText(o.DueAt),
		Outcome: o.Outcome, ReasonCode: o.ReasonCode,
	}
	for _, l := range o.Lines {
		v.Lines = append(v.Lines, lineView{
			l.OrderLineID, l.QuoteLineID, l.OfferID, l.OfferName, l.ProductCode, l.Action, l.Quantity, l.Required, string(l.State), l.Attempt,
			l.GroupNo, l.WaveNo, l.DependsOn, l.ExternalReference, l.OneTimeTotal.String(), l.RecurringTotal.String(),
			timeText(l.RequestedAt), timeText(l.DueAt), timeText(l.EndedAt),
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

type captureResponse struct {
	OrderID string `json:"orderId"`
}

func rejected(reasonCode, detail string) *web.Problem {
	p := web.Refuse(http.StatusUnprocessableEntity, "order.capture-rejected", detail)
	p.ReasonCode = reasonCode
	return p
}

// captureCommand is the second channel of the same use case. It may overtake
// the events of the quote; an approval that was not seen yet is therefore no
// final refusal here, while it is one for an event, which comes in order.
func (s *Service) captureCommand(ctx context.Context, tx pgx.Tx, c web.Call[acceptedQuote]) (reply web.Reply[captureResponse], err error) {
	facts, err := findCapture(ctx, tx, c.Tenant, c.Body)
	switch {
	case err != nil:
		return reply, err
	case facts.orderID != "":
		reply.Status, reply.Location, reply.Body.OrderID = http.StatusOK, "/orders/"+facts.orderID, facts.orderID
		return reply, nil
	case facts.reasonCode != "":
		return reply, rejected(facts.reasonCode, facts.detail)
	}
	refused, err := captureRules(c.Body, facts.known, facts.creditHold)
	if err != nil {
		return reply, err
	}
	if refused != nil {
		return s.refuseCommand(ctx, tx, c, *refused)
	}
	d, err := s.capture(ctx, tx, c.Tenant, c.Actor, c.Body, facts.creditHold, c.CommandID)
	if err != nil {
		return reply, err
	}
	reply.Location, reply.Version, reply.Body.OrderID = "/orders/"+d.OrderID, d.Version, d.OrderID
	return reply, nil
}

func (s *Service) refuseCommand(ctx context.Context, tx pgx.Tx, c web.Call[acceptedQuote], r refusedCapture) (reply web.Reply[captureResponse], err error) {
	reply.Problem = rejected(r.reasonCode, r.detail)
	if r.reasonCode == reasonNotApproved {
		reply.Problem.Retryable = true
		return reply, reply.Problem
	}
	return reply, s.refuse(ctx, tx, c.Tenant, c.Body, r, c.CommandID)
}

type empty struct{}

type validationResponse struct {
	State string `json:"state"`
}

func (s *Service) load(ctx context.Context, tx pgx.Tx, c web.Call[empty]) (*decision, error) {
	o, err := find(ctx, tx, "lock_order", c.Tenant, c.ID)
	return decide(o, c.Actor, c.Now, c.CommandID), err
}

func (s *Service) validateCommand(ctx context.Context, tx pgx.Tx, c web.Call[empty]) (reply web.Reply[validationResponse], err error) {
	d, err := s.load(ctx, tx, c)
	if err != nil {
		return reply, err
	}
	open, err := d.guardValidation()
	if err != nil {
		return reply, err
	}
	if open {
		hold, err := findCreditHold(ctx, tx, d.aggregate)
		if err != nil {
			return reply, err
		}
		reply.Problem = validationProblem(d.proceed(hold))
	}
	reply.Version, reply.Body.State = d.Version, string(d.State)
	return reply, s.store(ctx, tx, d)
}

func validationProblem(violations []violation) *web.Problem {
	if len(violations) == 0 {
		return nil
	}
	p := web.Refuse(http.StatusUnprocessableEntity, "order.validation-failed", "The order cannot be fulfilled as it is.")
	for _, v := range violations {
		p.Violations = append(p.Violations, web.Violation(v))
	}
	return p
}

type activationResponse struct {
	GroupNos  []int `json:"groupNos"`
	LineCount int   `json:"lineCount"`
}

func (s *Service) activateCommand(ctx context.Context, tx pgx.Tx, c web.Call[empty]) (reply web.Reply[activationResponse], err error) {
	d, err := s.load(ctx, tx, c)
	if err != nil {
		return reply, err
	}
	open, err := d.guardActivation()
	if err != nil {
		return reply, err
	}
	if open {
		d.activate()
	}
	groups, _ := d.groupCount()
	for n := range groups {
		reply.Body.GroupNos = append(reply.Body.GroupNos, n+1)
	}
	reply.Version, reply.Body.LineCount = d.Version, len(d.Lines)
	return reply, s.store(ctx, tx, d)
}

func (s *Service) get(ctx context.Context, tx pgx.Tx, a web.Ask) (web.Reply[view], error) {
	o, err := find(ctx, tx, "find_order", a.Tenant, a.ID)
	return web.Reply[view]{Version: o.Version, Body: viewOf(o)}, err
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, a web.Ask) (reply web.Reply[web.Page[view]], err error) {
	orders, err := list(ctx, tx, a)
	views := make([]view, len(orders))
	for i, o := range orders {
		views[i] = viewOf(o)
	}
	reply.Body = web.PageOf(views, a.Limit, func(v view) string { return v.OrderID })
	return reply, err
}

// Routes are the HTTP interface of the service.
func (s *Service) Routes() []web.Route {
	w := s.web
	return []web.Route{
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/orders/captures", ID: "captureOrder", Status: http.StatusCreated,
			Summary:     "Capture the order of an accepted quote",
			Description: "For machines: the second channel beside the event QuoteAccepted, with its payload as the body. One order per quote, whichever comes first; 200 with the order where it exists already.",
			Refusals:    map[int][]string{422: {"order.capture-rejected"}},
		}, s.captureCommand),
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/orders/{id}/validation", ID: "validateOrder",
			Summary:     "Validate an order again whose validation failed",
			Description: "For machines. An order that can be fulfilled now is activated with it. 200 without effect where it is validated already.",
			Refusals:    map[int][]string{409: {"state.transition-not-allowed"}, 422: {"order.validation-failed"}},
		}, s.validateCommand),
		web.Command(w, web.Spec{
			Method: http.MethodPost, Path: "/orders/{id}/activation", ID: "activateOrder",
			Summary:     "Activate a validated order",
			Description: "For machines. Freezes groups and waves; 200 without effect where it is active already.",
			Refusals:    map[int][]string{409: {"order.not-validated", "order.cancelled"}},
		}, s.activateCommand),
		web.Query(w, web.Spec{Method: http.MethodGet, Path: "/orders/{id}", ID: "getOrder", Summary: "Read an order"}, s.get),
		web.Query(w, web.Spec{
			Method: http.MethodGet, Path: "/orders", ID: "listOrders", Summary: "List orders, oldest first", Lists: true,
			Filters: []web.Filter{{Name: "quoteId", Doc: "The order of this quote."}, {Name: "customerId", Doc: "Only this customer's."}, {Name: "state", Doc: "Only in this state."}},
		}, s.list),
	}
}
