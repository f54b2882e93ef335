package order

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
	"factline.dev/outbox"
	"factline.dev/platform/internal/web"
)

//go:embed sql/*.sql
var statements embed.FS

//go:embed migration/*.sql
var migrations embed.FS

// statement returns one embedded SQL file; a test prepares them all.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("order: unknown statement " + name)
	}
	return string(text)
}

func migrationFiles() fs.FS {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		panic("order: no migrations embedded")
	}
	return files
}

// find returns an order with its lines, in one round trip. name is find_order or
// lock_order; the lines are read by a statement of their own, so under the lock.
func find(ctx context.Context, tx pgx.Tx, name, tenant, id string) (aggregate, error) {
	args := named.Args{"tenant_id": tenant, "order_id": id}
	var found []aggregate
	var lines []line
	batch := &pgx.Batch{}
	batch.Queue(statement(name), args).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[aggregate])
		return err
	})
	batch.Queue(statement("find_lines"), args).Query(func(rows pgx.Rows) (err error) {
		lines, err = pgx.CollectRows(rows, pgx.RowToStructByName[line])
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return aggregate{}, fmt.Errorf("order: load %s: %w", id, err)
	}
	if len(found) == 0 {
		return aggregate{}, web.NotFound()
	}
	found[0].Lines = lines
	return found[0], nil
}

func list(ctx context.Context, tx pgx.Tx, a web.Ask) ([]aggregate, error) {
	rows, err := tx.Query(ctx, statement("list_orders"), named.Args{
		"tenant_id": a.Tenant, "after": a.After, "quote_id": a.Filter["quoteId"], "customer_id": a.Filter["customerId"],
		"state": a.Filter["state"], "rows": a.Limit + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("order: list: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[aggregate])
}

// captureFacts is what a capture is decided on.
type captureFacts struct {
	known *mirrorQuote
	// orderID or reasonCode are set where the quote was captured or refused before.
	orderID, reasonCode, detail string
	creditHold                  bool
}

// findCapture locks the quote's mirror, so that the event and the command of one
// acceptance cannot decide at once.
func findCapture(ctx context.Context, tx pgx.Tx, tenant string, q acceptedQuote) (f captureFacts, err error) {
	args := named.Args{"tenant_id": tenant, "quote_id": q.QuoteID, "quote_revision": q.QuoteRevision, "customer_id": q.CustomerID}
	batch := &pgx.Batch{}
	batch.Queue(statement("lock_mirror"), args).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[mirrorQuote])
		if len(found) > 0 {
			f.known = found[0]
		}
		return err
	})
	// A statement of its own: its snapshot must be taken under the lock.
	batch.Queue(statement("find_capture"), args).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.orderID, &f.reasonCode, &f.detail, &f.creditHold)
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return f, fmt.Errorf("order: read what is known of quote %s: %w", q.QuoteID, err)
	}
	return f, nil
}

func findCreditHold(ctx context.Context, tx pgx.Tx, o aggregate) (hold bool, err error) {
	err = tx.QueryRow(ctx, statement("find_credit"), named.Args{"tenant_id": o.TenantID, "customer_id": o.CustomerID}).Scan(&hold)
	if err != nil {
		return false, fmt.Errorf("order: read credit for %s: %w", o.OrderID, err)
	}
	return hold, nil
}

func saveMirror(ctx context.Context, tx pgx.Tx, tenant string, version int64, f quoteFact, state string) error {
	_, err := tx.Exec(ctx, statement("upsert_mirror"), named.Args{
		"tenant_id": tenant, "quote_id": f.quoteID, "revision": f.revision, "version": version,
		"approval_mode": string(f.approvalMode), "snapshot_hash": f.snapshotHash, "state": state,
	})
	if err != nil {
		return fmt.Errorf("order: mirror quote %s: %w", f.quoteID, err)
	}
	return nil
}

// captureRow is the record of one acceptance, taken or refused.
type captureRow struct {
	id, tenant, sourceEventID, state, orderID string
	refused                                   refusedCapture
}

func (r captureRow) queue(batch *pgx.Batch, q acceptedQuote, d *decision) {
	batch.Queue(statement("insert_capture"), named.Args{
		"capture_id": r.id, "tenant_id": r.tenant, "quote_id": q.QuoteID, "quote_revision": q.QuoteRevision,
		"source_event_id": r.sourceEventID, "state": r.state, "order_id": r.orderID, "reason_code": r.refused.reasonCode,
		"detail": r.refused.detail, "now": d.now,
	})
}

// queueOrder adds to the batch what the decision changed.
func queueOrder(batch *pgx.Batch, d *decision) {
	batch.Queue(statement("save_order"), orderArgs(d))
	if d.before == 0 {
		queueNewLines(batch, d)
	}
	for i := range d.Lines {
		if d.before > 0 && d.Lines[i].changed {
			batch.Queue(statement("update_line"), lineArgs(d, i))
		}
	}
	queueTransitions(batch, d)
}

func queueTransitions(batch *pgx.Batch, d *decision) {
	var versions []int64
	var lines, from, to, kinds []string
	for i, e := range d.events {
		versions = append(versions, d.before+int64(i)+1)
		lines, from, to, kinds = append(lines, e.lineID), append(from, e.from), append(to, e.to), append(kinds, e.payload.EventType())
	}
	batch.Queue(statement("insert_transitions"), named.Args{
		"order_id": d.OrderID, "tenant_id": d.TenantID, "actor_id": d.actor, "at": d.now, "source_event_id": d.sourceEventID,
		"versions": versions, "line_ids": lines, "from_states": from, "to_states": to, "event_types": kinds,
	})
}

func queueNewLines(batch *pgx.Batch, d *decision) {
	var from, to []string
	for i, l := range d.Lines {
		batch.Queue(statement("insert_line"), lineArgs(d, i))
		for _, on := range l.DependsOn {
			from, to = append(from, l.OrderLineID), append(to, on)
		}
	}
	if len(from) > 0 {
		batch.Queue(statement("insert_dependencies"), named.Args{"order_id": d.OrderID, "tenant_id": d.TenantID, "line_ids": from, "depends_on": to})
	}
}

func orderArgs(d *decision) named.Args {
	return named.Args{
		"order_id": d.OrderID, "tenant_id": d.TenantID, "quote_id": d.QuoteID, "quote_revision": d.QuoteRevision, "version": d.Version,
		"customer_id": d.CustomerID, "currency": d.Currency, "sales_channel": d.SalesChannel, "state": string(d.State),
		"one_time_total": d.OneTimeTotal, "recurring_total": d.RecurringTotal, "list_one_time_total": d.ListOneTimeTotal,
		"list_recurring_total": d.ListRecurringTotal, "discount_percent": d.DiscountPercent,
		"commercial_snapshot_hash": d.CommercialSnapshotHash, "accepted_evidence_ref": d.AcceptedEvidenceRef,
		"requested_completion_date": d.RequestedCompletionDate, "captured_at": d.CapturedAt, "validated_at": d.ValidatedAt,
		"activated_at": d.ActivatedAt, "submitted_at": d.SubmittedAt, "completed_at": d.CompletedAt, "cancelled_at": d.CancelledAt,
		"due_at": d.DueAt, "reason_code": d.ReasonCode, "outcome": d.Outcome, "created_at": d.CreatedAt, "updated_at": d.UpdatedAt,
	}
}

func lineArgs(d *decision, i int) named.Args {
	l := d.Lines[i]
	return named.Args{
		"order_id": d.OrderID, "order_line_id": l.OrderLineID, "line_no": i + 1, "tenant_id": d.TenantID, "quote_line_id": l.QuoteLineID,
		"offer_id": l.OfferID, "offer_name": l.OfferName, "product_code": l.ProductCode, "action": l.Action, "quantity": l.Quantity,
		"characteristics": l.Characteristics, "site": l.Site, "required": l.Required, "state": string(l.State), "attempt": l.Attempt,
		"group_no": l.GroupNo, "wave_no": l.WaveNo, "fulfillment_request_id": l.FulfillmentRequestID,
		"external_reference": l.ExternalReference, "fulfilled_characteristics": l.FulfilledCharacteristics,
		"one_time_total": l.OneTimeTotal, "recurring_total": l.RecurringTotal, "started_at": l.StartedAt,
		"requested_at": l.RequestedAt, "due_at": l.DueAt, "ended_at": l.EndedAt, "now": d.now,
	}
}

func send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, what string) error {
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("order: save %s: %w", what, err)
	}
	return nil
}

func outboxEvents(d *decision) []outbox.Event {
	events := make([]outbox.Event, len(d.events))
	for i, e := range d.events {
		events[i] = outbox.Event{
			Type: e.payload.EventType(), Version: e.payload.EventVersion(), TenantID: d.TenantID, AggregateID: d.OrderID,
			ExpectedVersion: &d.before, OccurredAt: d.now, Payload: e.payload,
		}
	}
	return events
}
