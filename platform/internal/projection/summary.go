package projection

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/platform/internal/money"
)

// summary is one row of the order summary. The json names are the columns.
type summary struct {
	TenantID               string       `db:"tenant_id" json:"tenant_id"`
	OrderID                string       `db:"order_id" json:"order_id"`
	QuoteID                string       `db:"quote_id" json:"quote_id"`
	CustomerID             string       `db:"customer_id" json:"customer_id"`
	SalesChannel           string       `db:"sales_channel" json:"sales_channel"`
	Currency               string       `db:"currency" json:"currency"`
	OneTimeTotal           money.Amount `db:"one_time_total" json:"one_time_total"`
	RecurringTotal         money.Amount `db:"recurring_total" json:"recurring_total"`
	State                  string       `db:"state" json:"state"`
	LinesTotal             int          `db:"lines_total" json:"lines_total"`
	LinesOpen              int          `db:"lines_open" json:"lines_open"`
	LinesCompleted         int          `db:"lines_completed" json:"lines_completed"`
	LinesFailed            int          `db:"lines_failed" json:"lines_failed"`
	LinesWaived            int          `db:"lines_waived" json:"lines_waived"`
	LinesCancelled         int          `db:"lines_cancelled" json:"lines_cancelled"`
	HasFallout             bool         `db:"has_fallout" json:"has_fallout"`
	JeopardyLines          int          `db:"jeopardy_lines" json:"jeopardy_lines"`
	OpenIncidents          int          `db:"open_incidents" json:"open_incidents"`
	Outcome                *string      `db:"outcome" json:"outcome"`
	CapturedAt             time.Time    `db:"captured_at" json:"captured_at"`
	ValidatedAt            *time.Time   `db:"validated_at" json:"validated_at"`
	ActivatedAt            *time.Time   `db:"activated_at" json:"activated_at"`
	SubmittedAt            *time.Time   `db:"submitted_at" json:"submitted_at"`
	CompletedAt            *time.Time   `db:"completed_at" json:"completed_at"`
	CancelledAt            *time.Time   `db:"cancelled_at" json:"cancelled_at"`
	DueAt                  *time.Time   `db:"due_at" json:"due_at"`
	ReasonCode             *string      `db:"reason_code" json:"reason_code"`
	CommercialSnapshotHash string       `db:"commercial_snapshot_hash" json:"commercial_snapshot_hash"`
	LastVersion            int64        `db:"last_version" json:"last_version"`
	SourceEventID          string       `db:"source_event_id" json:"source_event_id"`
	UpdatedAt              time.Time    `db:"updated_at" json:"updated_at"`
}

// apply brings the row to the event's version. It is pure, and an event that the
// row has already seen changes nothing.
func (s *summary) apply(e envelope.Event[fact]) {
	if e.AggregateVersion <= s.LastVersion {
		return
	}
	f := e.Payload
	s.LastVersion, s.SourceEventID, s.UpdatedAt = e.AggregateVersion, e.EventID, e.OccurredAt.UTC()
	switch e.EventType {
	case "OrderCaptured":
		s.captured(e)
	case "OrderValidated":
		s.State, s.ValidatedAt, s.ReasonCode = "VALIDATED", f.ValidatedAt, nil
	case "OrderValidationFailed":
		s.State = "VALIDATION_FAILED"
		if len(f.Violations) > 0 {
			s.ReasonCode = &f.Violations[0].Code
		}
	case "OrderActivated":
		s.State, s.ActivatedAt = "ACTIVE", f.ActivatedAt
	case "OrderSubmittedForFulfillment":
		s.State, s.SubmittedAt, s.DueAt = "IN_FULFILLMENT", f.SubmittedAt, f.DueAt
	case "OrderCompleted":
		s.State, s.CompletedAt, s.Outcome = "COMPLETED", f.CompletedAt, &f.Outcome
	}
	if p := f.Progress; p != nil {
		s.LinesTotal, s.LinesOpen, s.LinesCompleted = p.LinesTotal, p.LinesOpen, p.LinesCompleted
		s.LinesFailed, s.LinesWaived, s.LinesCancelled = p.LinesFailed, p.LinesWaived, p.LinesCancelled
	}
}

func (s *summary) captured(e envelope.Event[fact]) {
	f := e.Payload
	s.TenantID, s.OrderID, s.QuoteID, s.CustomerID = e.TenantID, f.OrderID, f.QuoteID, f.CustomerID
	s.SalesChannel, s.Currency, s.State, s.CapturedAt = f.SalesChannel, f.Currency, "CAPTURED", f.CapturedAt
	s.OneTimeTotal, s.RecurringTotal = f.Totals.OneTimeTotal, f.Totals.RecurringTotal
	s.CommercialSnapshotHash = f.CommercialSnapshotHash
	// lineCount is an optional field of the contract; the summaries are not.
	s.LinesTotal, s.LinesOpen = len(f.LineSummaries), len(f.LineSummaries)
}

// applySummaries gives events of one tenant their effect on a summary table.
func applySummaries(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, events []envelope.Event[fact]) error {
	found, err := findSummaries(ctx, tx, table, tenant, orderIDs(events))
	if err != nil {
		return err
	}
	rows := make(map[string]*summary, len(found))
	for i := range found {
		rows[found[i].OrderID] = &found[i]
	}
	for _, e := range events {
		row := rows[e.Payload.OrderID]
		if row == nil {
			if row = new(summary); e.EventType != "OrderCaptured" {
				return consumer.Permanent(fmt.Errorf("projection: apply %s to order %s: its OrderCaptured was never applied; rebuild the projection", e.EventType, e.Payload.OrderID))
			}
			rows[e.Payload.OrderID] = row
		}
		row.apply(e)
	}
	return save(ctx, tx, "save_summaries", table, values(rows))
}

func findSummaries(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, ids []string) ([]summary, error) {
	rows, err := tx.Query(ctx, on(table, "find_summaries"), pgx.NamedArgs{"tenant_id": tenant, "order_ids": ids})
	if err != nil {
		return nil, fmt.Errorf("projection: read %s: %w", strings.Join(table, "."), err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[summary])
}

func orderIDs(events []envelope.Event[fact]) []string {
	seen := make(map[string]bool, len(events))
	var ids []string
	for _, e := range events {
		if id := e.Payload.OrderID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
