package quote

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/contracttest"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/host"
)

type bundle struct {
	*Service
	pool *pgxpool.Pool
}

func setup(t *testing.T) bundle {
	t.Helper()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	pool := factlinetest.Postgres(t, migrated)
	s, err := New(host.Host{Pool: pool, Contracts: catalogue, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return bundle{s, pool}
}

func (b bundle) save(ctx context.Context, d *decision) error {
	ctx = envelope.WithCause(ctx, envelope.Cause{TenantID: d.TenantID, CorrelationID: "corr_1", CausationID: "cmd_1"})
	return database.InTenant(ctx, b.pool, d.TenantID, func(tx pgx.Tx) error { return b.store(ctx, tx, d) })
}

// accepted is a quote that waits for its order.
func accepted(t *testing.T, manual string) *decision {
	t.Helper()
	d := drafted(t, manual)
	d.CatalogVersionID = "cat_1"
	if err := d.submit(market0()); err != nil {
		t.Fatal(err)
	}
	if d.State != stateApproved {
		return d
	}
	if err := d.accept(acceptance{d.CommercialSnapshotHash, "cust_1", "2026-09-01"}); err != nil {
		t.Fatal(err)
	}
	return d
}

// contractConsumers are the groups that the catalogue declares.
func contractConsumers() map[string]contracttest.Subject {
	return map[string]contracttest.Subject{
		OrderGroup: {Consumer: orderConsumer},
		"quote-service.configuration-events.consumer": {Waits: "configurations by configuration-service"},
		"quote-service.pricing-events.consumer":       {Waits: "prices by pricing-service"},
		"quote-service.reprice-requests.consumer":     {Waits: "prices by pricing-service"},
		"quote-service.pricebook-state.consumer":      {Waits: "prices by pricing-service"},
		"quote-service.entitlement-state.consumer":    {Waits: "entitlements by pricing-service"},
		"quote-service.approval-events.consumer":      {Waits: "approval by approval-service"},
	}
}

func orderConsumer(t *testing.T) contracttest.Consumer {
	t.Helper()
	b := setup(t)
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, orderTopic, 1, nil)
	return contracttest.Consumer{
		Catalogue: b.host.Contracts,
		Config: consumer.Config{
			Group: OrderGroup, Service: Name, Pool: b.pool, Brokers: kafka.Addrs(), Outbox: b.outbox, Contracts: b.host.Contracts,
			Subscriptions: []consumer.Subscription{b.subscription()},
		},
		Effects: effects, Before: b.acceptedBefore(t), Fresh: []string{"quoteId"},
	}
}

// acceptedBefore makes the quote that an event is about.
func (b bundle) acceptedBefore(t *testing.T) func(context.Context, *pgxpool.Pool, envelope.Raw) error {
	t.Helper()
	made := 0
	return func(ctx context.Context, _ *pgxpool.Pool, e envelope.Raw) error {
		of, err := envelope.As[struct {
			QuoteID string `json:"quoteId"`
		}](e)
		if err != nil {
			return err
		}
		q := accepted(t, "0").aggregate
		made++
		q.QuoteNumber = fmt.Sprintf("Q-2026-%06d", made)
		q.QuoteID, q.TenantID, q.Version, q.State = of.Payload.QuoteID, e.TenantID, 0, stateNone
		d := decide(q, serviceActor, noon)
		d.created()
		d.State = stateAccepted
		return b.save(ctx, d)
	}
}

func effects(ctx context.Context, pool *pgxpool.Pool) (text string, err error) {
	err = database.InTenant(ctx, pool, database.Platform, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat(
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM quote.quote t),
			(SELECT count(*) FROM factline.outbox_event WHERE stamped))`).Scan(&text)
	})
	return text, err
}

// contractProducer has made every event that the service makes.
func contractProducer(t *testing.T) contracttest.Producer {
	t.Helper()
	b := setup(t)
	won, lost, refused, gone := accepted(t, "0"), accepted(t, "25"), accepted(t, "0"), accepted(t, "25")
	if _, err := won.converted("ord_1"); err != nil {
		t.Fatal(err)
	}
	if err := refused.conversionRejected(orderCaptureRejected{CaptureID: "ocap_1", QuoteID: refused.QuoteID, QuoteRevision: 1, ReasonCode: "QUOTE_EXPIRED", Detail: "Too late."}); err != nil {
		t.Fatal(err)
	}
	gone.cancel("CUSTOMER_WITHDREW", "no need")
	unpriced := decide(gone.aggregate, serviceActor, noon)
	unpriced.QuoteID, unpriced.Version, unpriced.before, unpriced.State = "q_"+envelope.NewID(), 0, 0, stateNone
	unpriced.created()
	unpriced.pricingFailed(failPricing("PRICE_MISSING", "lines.ql_1", "No price."), "prun_1")
	for i, d := range []*decision{won, lost, refused, gone, unpriced} {
		d.QuoteNumber = "Q-2026-00000" + string(rune('1'+i))
		if err := b.save(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, "cpq.quote.events.v1", 1, nil)
	return contracttest.Producer{
		Catalogue: b.host.Contracts, Service: Name, Pool: b.pool, Brokers: kafka.Addrs(), Later: later(),
	}
}

// later names what each event waits for whose contract stands before the service
// makes it.
func later() map[string]string {
	return map[string]string{
		"QuoteDraftUpdated":     "lines of a draft that can be changed",
		"QuoteRepriceScheduled": "prices by pricing-service",
		"QuoteExpired":          "the timer on the last instant of a quote",
		"QuoteRejected":         "rejection by the customer or by approval-service",
		"QuoteRevised":          "revisions of a quote",
	}
}
