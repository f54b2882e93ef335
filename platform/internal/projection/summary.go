package projection

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
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
func (s *summary) apply(e fact) {
	if e.AggregateVersion <= s.LastVersion {
		return
	}
	s.LastVersion, s.SourceEventID, s.UpdatedAt = e.AggregateVersion, e.EventID, e.OccurredAt.UTC()
	switch p := e.Payload.(type) {
	case orderCaptured:
		s.TenantID = e.TenantID
		s.captured(p)
	case orderValidated:
		s.State, s.ValidatedAt, s.ReasonCode = "VALIDATED", &p.ValidatedAt, nil
	case orderValidationFailed:
		s.State = "VALIDATION_FAILED"
		if len(p.Violations) > 0 {
			s.ReasonCode = &p.Violations[0].Code
		}
	case orderActivated:
		s.State, s.ActivatedAt = "ACTIVE", &p.ActivatedAt
	case orderSubmittedForFulfillment:
		s.State, s.SubmittedAt, s.DueAt = "IN_FULFILLMENT", &p.SubmittedAt, &p.DueAt
	case orderLineFulfillmentCompleted:
		s.progressed(p.Progress)
	case orderCompleted:
		s.State, s.CompletedAt, s.Outcome = "COMPLETED", &p.CompletedAt, new(string(p.Outcome))
		s.progressed(p.Progress)
	}
}

func (s *summary) progressed(p progress) {
	s.LinesTotal, s.LinesOpen, s.LinesCompleted = p.LinesTotal, p.LinesOpen, p.LinesCompleted
	s.LinesFailed, s.LinesWaived, s.LinesCancelled = p.LinesFailed, p.LinesWaived, p.LinesCancelled
}

func (s *summary) captured(p orderCaptured) {
	s.OrderID, s.QuoteID, s.CustomerID, s.Currency = p.OrderID, p.QuoteID, p.CustomerID, p.Currency
	s.State, s.CapturedAt = "CAPTURED", p.CapturedAt
	if p.SalesChannel != nil {
		s.SalesChannel = string(*p.SalesChannel)
	}
	s.OneTimeTotal, s.RecurringTotal = p.Totals.OneTimeTotal, p.Totals.RecurringTotal
	s.CommercialSnapshotHash = p.CommercialSnapshotHash
	// lineCount is an optional field of the contract; the summaries are not.
	s.LinesTotal, s.LinesOpen = len(p.LineSummaries), len(p.LineSummaries)
}

// applySummaries gives events of one tenant their effect on a summary table.
func applySummaries(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, events []fact) error {
	found, err := findSummaries(ctx, tx, table, tenant, orderIDs(events))
	if err != nil {
		return err
	}
	rows := make(map[string]*summary, len(found))
	for i := range found {
		rows[found[i].OrderID] = &found[i]
	}
	for _, e := range events {
		row := rows[e.AggregateID]
		if row == nil {
			if row = new(summary); e.EventType != "OrderCaptured" {
				return consumer.Permanent(fmt.Errorf("projection: apply %s to order %s: its OrderCaptured was never applied; rebuild the projection", e.EventType, e.AggregateID))
			}
			rows[e.AggregateID] = row
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

func orderIDs(events []fact) []string {
	seen := make(map[string]bool, len(events))
	var ids []string
	for _, e := range events {
		if id := e.AggregateID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
