package quote

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

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
		panic("quote: unknown statement " + name)
	}
	return string(text)
}

// find returns a quote with its lines, in one round trip. name is find_quote or
// lock_quote; the lines are read by a statement of their own, so under the lock.
func find(ctx context.Context, tx pgx.Tx, name, tenant, id string) (aggregate, error) {
	args := named.Args{"tenant_id": tenant, "quote_id": id}
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
		return aggregate{}, fmt.Errorf("quote: load %s: %w", id, err)
	}
	if len(found) == 0 {
		return aggregate{}, web.NotFound()
	}
	found[0].Lines = lines
	return found[0], nil
}

func list(ctx context.Context, tx pgx.Tx, a web.Ask) ([]aggregate, error) {
	rows, err := tx.Query(ctx, statement("list_quotes"), named.Args{
		"tenant_id": a.Tenant, "after": a.After, "customer_id": a.Filter["customerId"], "state": a.Filter["state"], "rows": a.Limit + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("quote: list: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[aggregate])
}

func findMirrors(ctx context.Context, tx pgx.Tx, tenant string, r draftRequest) (mirrors, error) {
	m := mirrors{configurations: map[string]configuration{}}
	err := tx.QueryRow(ctx, statement("find_mirrors"), named.Args{"tenant_id": tenant, "customer_id": r.CustomerID}).
		Scan(&m.entitlement, &m.book, &m.policy, &m.quoteNumber)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return m, fmt.Errorf("quote: read mirrors: %w", err)
	}
	var ids []string
	for _, l := range r.Lines {
		ids = append(ids, l.ConfigurationID)
	}
	rows, err := tx.Query(ctx, statement("find_configurations"), named.Args{"tenant_id": tenant, "configuration_ids": ids})
	if err != nil {
		return m, fmt.Errorf("quote: read configurations: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[configuration])
	if err != nil {
		return m, fmt.Errorf("quote: read configurations: %w", err)
	}
	for _, c := range all {
		m.configurations[c.ConfigurationID] = c
	}
	return m, nil
}

func findMarket(ctx context.Context, tx pgx.Tx, d *decision) (m market, err error) {
	var ids []string
	for _, l := range d.Lines {
		ids = append(ids, l.ConfigurationID)
	}
	err = tx.QueryRow(ctx, statement("find_market"), named.Args{
		"tenant_id": d.TenantID, "price_book_code": d.PriceBookCode, "customer_id": d.CustomerID, "configuration_ids": ids, "now": d.now,
	}).Scan(&m.currentBookID, &m.creditHold, &m.configurationsValid)
	if err != nil {
		return m, fmt.Errorf("quote: read mirrors for %s: %w", d.QuoteID, err)
	}
	return m, nil
}

// save writes the quote at its new version, its transitions, and its lines
// where it is new, in one round trip.
func save(ctx context.Context, tx pgx.Tx, d *decision) error {
	batch := &pgx.Batch{}
	batch.Queue(statement("save_quote"), quoteArgs(d))
	if d.before == 0 {
		for i, l := range d.Lines {
			batch.Queue(statement("insert_line"), lineArgs(d, i, l))
		}
	}
	for i, e := range d.events {
		batch.Queue(statement("insert_transition"), named.Args{
			"quote_id": d.QuoteID, "version": d.before + int64(i) + 1, "tenant_id": d.TenantID,
			"from_state": string(e.from), "to_state": string(e.to), "event_type": e.payload.EventType(), "actor_id": d.actor, "at": d.now,
		})
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("quote: save %s: %w", d.QuoteID, err)
	}
	return nil
}

func quoteArgs(d *decision) named.Args {
	return named.Args{
		"quote_id": d.QuoteID, "tenant_id": d.TenantID, "quote_number": d.QuoteNumber, "revision": d.Revision, "version": d.Version,
		"customer_id": d.CustomerID, "currency": d.Currency, "price_book_code": d.PriceBookCode, "sales_channel": d.SalesChannel,
		"state": string(d.State), "valid_from": d.ValidFrom, "valid_until": d.ValidUntil, "catalog_version_id": d.CatalogVersionID,
		"price_book_id": d.PriceBookID, "price_book_version": d.PriceBookVersion, "discount_policy_version": d.DiscountPolicyVersion,
		"pricing_run_id": d.PricingRunID, "priced_at": d.PricedAt, "one_time_total": d.OneTimeTotal, "recurring_total": d.RecurringTotal,
		"list_one_time_total": d.ListOneTimeTotal, "list_recurring_total": d.ListRecurringTotal, "discount_percent": d.DiscountPercent,
		"approval_signals": d.ApprovalSignals, "approval_mode": d.ApprovalMode, "approval_request_id": d.ApprovalRequestID,
		"approval_case_id": d.ApprovalCaseID, "approved_by": d.ApprovedBy, "approved_at": d.ApprovedAt, "submitted_by": d.SubmittedBy,
		"submitted_at": d.SubmittedAt, "accepted_by": d.AcceptedBy, "accepted_at": d.AcceptedAt,
		"accepted_evidence_ref": d.AcceptedEvidenceRef, "requested_completion": d.RequestedCompletion,
		"commercial_snapshot_hash": d.CommercialSnapshotHash, "order_id": d.OrderID, "reason_code": d.ReasonCode,
		"created_at": d.CreatedAt, "updated_at": d.UpdatedAt,
	}
}

func lineArgs(d *decision, i int, l line) named.Args {
	return named.Args{
		"quote_id": d.QuoteID, "revision": d.Revision, "quote_line_id": l.QuoteLineID, "line_no": i + 1, "tenant_id": d.TenantID,
		"configuration_id": l.ConfigurationID, "configuration_hash": l.ConfigurationHash, "item_id": l.ItemID, "offer_id": l.OfferID,
		"offer_name": l.OfferName, "product_code": l.ProductCode, "action": l.Action, "quantity": l.Quantity,
		"characteristics": l.Characteristics, "depends_on": l.DependsOn, "required": l.Required,
		"manual_discount_percent": l.ManualDiscountPercent, "one_time_total": l.OneTimeTotal, "recurring_total": l.RecurringTotal,
		"discount_percent": l.DiscountPercent, "site": l.Site, "now": d.now,
	}
}

func saveAcceptance(ctx context.Context, tx pgx.Tx, d *decision, evidence evidenceRequest, key string) error {
	_, err := tx.Exec(ctx, statement("insert_acceptance"), named.Args{
		"quote_id": d.QuoteID, "revision": d.Revision, "tenant_id": d.TenantID, "accepted_by": d.AcceptedBy, "accepted_at": d.now,
		"evidence_ref": d.AcceptedEvidenceRef, "evidence_method": evidence.Method, "evidence_reference": evidence.Reference,
		"snapshot_hash": d.CommercialSnapshotHash, "idempotency_key": key,
	})
	if err != nil {
		return fmt.Errorf("quote: save acceptance of %s: %w", d.QuoteID, err)
	}
	return nil
}

// appendEvents stores what the decision found, in order.
func appendEvents(ctx context.Context, tx pgx.Tx, ob *outbox.Outbox, d *decision) error {
	events := make([]outbox.Event, len(d.events))
	for i, e := range d.events {
		events[i] = outbox.Event{
			Type: e.payload.EventType(), Version: e.payload.EventVersion(), TenantID: d.TenantID, AggregateID: d.QuoteID, ExpectedVersion: &d.before,
			OccurredAt: d.now, Payload: e.payload,
		}
	}
	return ob.Append(ctx, tx, events...)
}

func truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func isNotFound(err error) bool {
	var p *web.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

func migrationFiles() fs.FS {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		panic("quote: no migrations embedded")
	}
	return files
}
