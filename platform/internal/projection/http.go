package projection

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/platform/internal/web"
)

type lineView struct {
	OrderLineID       string   `json:"orderLineId"`
	OfferID           string   `json:"offerId"`
	ProductCode       string   `json:"productCode,omitempty" doc:"Known when the order is active"`
	Action            string   `json:"action"`
	State             string   `json:"state"`
	Attempt           int      `json:"attempt"`
	GroupNo           int      `json:"groupNo,omitempty"`
	WaveNo            int      `json:"waveNo,omitempty"`
	DependsOn         []string `json:"dependsOn,omitempty"`
	ExternalReference string   `json:"externalReference,omitempty"`
	RequestedAt       string   `json:"requestedAt,omitempty"`
	EndedAt           string   `json:"endedAt,omitempty"`
}

type view struct {
	OrderID        string     `json:"orderId"`
	QuoteID        string     `json:"quoteId"`
	Version        int64      `json:"version" doc:"Version of the order that is shown; equals the ETag"`
	State          string     `json:"state"`
	CustomerID     string     `json:"customerId"`
	SalesChannel   string     `json:"salesChannel"`
	Currency       string     `json:"currency"`
	OneTimeTotal   string     `json:"oneTimeTotal"`
	RecurringTotal string     `json:"recurringTotal"`
	LinesTotal     int        `json:"linesTotal"`
	LinesOpen      int        `json:"linesOpen"`
	LinesCompleted int        `json:"linesCompleted"`
	LinesFailed    int        `json:"linesFailed"`
	Outcome        string     `json:"outcome,omitempty"`
	ReasonCode     string     `json:"reasonCode,omitempty"`
	CapturedAt     string     `json:"capturedAt"`
	ValidatedAt    string     `json:"validatedAt,omitempty"`
	ActivatedAt    string     `json:"activatedAt,omitempty"`
	SubmittedAt    string     `json:"submittedAt,omitempty"`
	CompletedAt    string     `json:"completedAt,omitempty"`
	DueAt          string     `json:"dueAt,omitempty"`
	UpdatedAt      string     `json:"updatedAt" doc:"When the last event that is shown occurred"`
	Lines          []lineView `json:"lines,omitempty" doc:"Absent in lists"`
}

func viewOf(s summary) view {
	return view{
		OrderID: s.OrderID, QuoteID: s.QuoteID, Version: s.LastVersion, State: s.State, CustomerID: s.CustomerID,
		SalesChannel: s.SalesChannel, Currency: s.Currency, OneTimeTotal: s.OneTimeTotal.String(), RecurringTotal: s.RecurringTotal.String(),
		LinesTotal: s.LinesTotal, LinesOpen: s.LinesOpen, LinesCompleted: s.LinesCompleted, LinesFailed: s.LinesFailed,
		Outcome: value(s.Outcome), ReasonCode: value(s.ReasonCode), CapturedAt: envelope.FormatTime(s.CapturedAt),
		ValidatedAt: timeText(s.ValidatedAt), ActivatedAt: timeText(s.ActivatedAt), SubmittedAt: timeText(s.SubmittedAt),
		CompletedAt: timeText(s.CompletedAt), DueAt: timeText(s.DueAt), UpdatedAt: envelope.FormatTime(s.UpdatedAt),
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return envelope.FormatTime(*t)
}

func (s *Service) get(ctx context.Context, tx pgx.Tx, a web.Ask) (reply web.Reply[view], err error) {
	summaryTable, lineTable, err := liveTables(ctx, tx)
	if err != nil {
		return reply, err
	}
	found, err := findSummaries(ctx, tx, summaryTable, a.Tenant, []string{a.ID})
	if err != nil {
		return reply, err
	}
	if len(found) == 0 {
		return reply, web.NotFound()
	}
	rows, err := findLines(ctx, tx, lineTable, a.Tenant, []string{a.ID})
	reply.Version, reply.Body = found[0].LastVersion, viewOf(found[0])
	for _, l := range rows {
		reply.Body.Lines = append(reply.Body.Lines, lineView{
			l.OrderLineID, l.OfferID, value(l.ProductCode), l.Action, l.State, l.Attempt, value(l.GroupNo), value(l.WaveNo), l.DependsOn,
			value(l.ExternalReference), timeText(l.RequestedAt), timeText(l.EndedAt),
		})
	}
	return reply, err
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, a web.Ask) (reply web.Reply[web.Page[view]], err error) {
	table, err := liveTable(ctx, tx, SummaryProjection)
	if err != nil {
		return reply, err
	}
	rows, err := tx.Query(ctx, on(table, "list_summaries"), pgx.NamedArgs{
		"tenant_id": a.Tenant, "after": a.After, "quote_id": a.Filter["quoteId"], "customer_id": a.Filter["customerId"],
		"state": a.Filter["state"], "rows": a.Limit + 1,
	})
	if err != nil {
		return reply, fmt.Errorf("projection: list orders: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[summary])
	views := make([]view, len(found))
	for i, s := range found {
		views[i] = viewOf(s)
	}
	reply.Body = web.PageOf(views, a.Limit, func(v view) string { return v.OrderID })
	return reply, err
}

// Routes are the HTTP interface of the service.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		web.Query(s.web, web.Spec{
			Method: http.MethodGet, Path: "/read/orders/{id}", ID: "readOrder", Summary: "Read an order from the read model",
			Description: "A little behind /orders/{id}: version says how far.",
		}, s.get),
		web.Query(s.web, web.Spec{
			Method: http.MethodGet, Path: "/read/orders", ID: "readOrders", Summary: "List orders from the read model, oldest first", Lists: true,
			Filters: []web.Filter{{Name: "quoteId", Doc: "The order of this quote."}, {Name: "customerId", Doc: "Only this customer's."}, {Name: "state", Doc: "Only in this state."}},
		}, s.list),
	}
}
