package projection

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// line is one row of the order lines. The json names are the columns.
type line struct {
	TenantID          string     `db:"tenant_id" json:"tenant_id"`
	OrderID           string     `db:"order_id" json:"order_id"`
	OrderLineID       string     `db:"order_line_id" json:"order_line_id"`
	OfferID           string     `db:"offer_id" json:"offer_id"`
	ProductCode       *string    `db:"product_code" json:"product_code"`
	Action            string     `db:"action" json:"action"`
	Required          *bool      `db:"required" json:"required"`
	State             string     `db:"state" json:"state"`
	Attempt           int        `db:"attempt" json:"attempt"`
	GroupNo           *int       `db:"group_no" json:"group_no"`
	WaveNo            *int       `db:"wave_no" json:"wave_no"`
	DependsOn         []string   `db:"depends_on" json:"depends_on"`
	ExternalReference *string    `db:"external_reference" json:"external_reference"`
	Milestone         *string    `db:"milestone" json:"milestone"`
	ErrorCode         *string    `db:"error_code" json:"error_code"`
	ErrorMessage      *string    `db:"error_message" json:"error_message"`
	StartedAt         *time.Time `db:"started_at" json:"started_at"`
	RequestedAt       *time.Time `db:"requested_at" json:"requested_at"`
	DueAt             *time.Time `db:"due_at" json:"due_at"`
	EndedAt           *time.Time `db:"ended_at" json:"ended_at"`
	LastVersion       int64      `db:"last_version" json:"last_version"`
	SourceEventID     string     `db:"source_event_id" json:"source_event_id"`
	UpdatedAt         time.Time  `db:"updated_at" json:"updated_at"`
}

type lineKey struct{ orderID, lineID string }

// lines are the rows that a batch of events touches.
type lines map[lineKey]*line

// apply gives one event its effect on the rows. It is pure; an event that a row
// has already seen does not change it.
func (ls lines) apply(e fact) {
	switch p := e.Payload.(type) {
	case orderCaptured:
		for _, l := range p.LineSummaries {
			ls.change(e, l.OrderLineID, func(row *line) {
				row.OfferID, row.Action, row.State = l.OfferID, string(l.Action), "PENDING"
			})
		}
	case orderActivated:
		for _, l := range p.Lines {
			ls.change(e, l.OrderLineID, func(row *line) {
				row.ProductCode, row.Required, row.GroupNo, row.WaveNo, row.DependsOn = &l.ProductCode, &l.Required, &l.GroupNo, &l.WaveNo, l.DependsOn
			})
		}
	case orderLineStarted:
		ls.change(e, p.OrderLineID, func(row *line) { row.State, row.StartedAt = "STARTED", &p.StartedAt })
	case orderLineFulfillmentRequested:
		ls.change(e, p.OrderLineID, func(row *line) {
			row.State, row.Attempt, row.RequestedAt, row.DueAt = "REQUESTED", p.Attempt, &p.RequestedAt, &p.DueAt
		})
	case orderLineFulfillmentCompleted:
		ls.change(e, p.OrderLineID, func(row *line) {
			row.State, row.EndedAt, row.ExternalReference = "COMPLETED", &p.CompletedAt, &p.ExternalReference
		})
	}
}

func (ls lines) change(e fact, id string, set func(*line)) {
	key := lineKey{e.AggregateID, id}
	row := ls[key]
	if row == nil {
		row = &line{TenantID: e.TenantID, OrderID: key.orderID, OrderLineID: id}
		ls[key] = row
	}
	if e.AggregateVersion <= row.LastVersion {
		return
	}
	set(row)
	row.LastVersion, row.SourceEventID, row.UpdatedAt = e.AggregateVersion, e.EventID, e.OccurredAt.UTC()
}

// applyLines gives events of one tenant their effect on a line table.
func applyLines(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, events []fact) error {
	found, err := findLines(ctx, tx, table, tenant, orderIDs(events))
	if err != nil {
		return err
	}
	rows := make(lines, len(found))
	for i := range found {
		rows[lineKey{found[i].OrderID, found[i].OrderLineID}] = &found[i]
	}
	for _, e := range events {
		rows.apply(e)
	}
	return save(ctx, tx, "save_lines", table, values(rows))
}

func findLines(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, ids []string) ([]line, error) {
	rows, err := tx.Query(ctx, on(table, "find_lines"), pgx.NamedArgs{"tenant_id": tenant, "order_ids": ids})
	if err != nil {
		return nil, fmt.Errorf("projection: read %s: %w", strings.Join(table, "."), err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[line])
}
