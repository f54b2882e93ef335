package order

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/contracttest"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform/internal/database"
)

// contractConsumers are the groups that the catalogue declares.
func contractConsumers() map[string]contracttest.Subject {
	return map[string]contracttest.Subject{
		QuoteGroup: {Consumer: func(t *testing.T) contracttest.Consumer {
			t.Helper()
			b := setup(t)
			c := b.consumer(t, QuoteGroup, b.quoteSubscription())
			c.Sample, c.Before = offered, b.approvedBefore(t)
			return c
		}},
		OrderGroup: {Consumer: func(t *testing.T) contracttest.Consumer {
			t.Helper()
			b := setup(t)
			c := b.consumer(t, OrderGroup, b.orderSubscription())
			c.Before = b.activeBefore(t)
			return c
		}},
		"order-service.fulfillment-integration.consumer": {Waits: "fulfilment by the adapter"},
		"order-service.fulfillment-events.consumer":      {Waits: "fulfilment by the adapter"},
		"order-service.entitlement-state.consumer":       {Waits: "credit checks at capture"},
	}
}

func (b bundle) consumer(t *testing.T, group string, s consumer.Subscription) contracttest.Consumer {
	t.Helper()
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, s.Topic, 1, nil)
	return contracttest.Consumer{
		Catalogue: b.host.Contracts, Effects: effects,
		Config: consumer.Config{
			Group: group, Service: Name, Pool: b.pool, Brokers: kafka.Addrs(), Outbox: b.outbox, Contracts: b.host.Contracts,
			Subscriptions: []consumer.Subscription{s},
		},
	}
}

// offered gives an acceptance the hash of what it accepts.
func offered(e *contract.Event, payload json.RawMessage) (json.RawMessage, error) {
	if e.Type != "QuoteAccepted" {
		return payload, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, err
	}
	q, err := acceptanceIn(payload)
	if err != nil {
		return nil, err
	}
	if fields["commercialSnapshotHash"], err = q.snapshotHash(); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

func acceptanceIn(payload json.RawMessage) (acceptedQuote, error) {
	var p quoteAccepted
	err := json.Unmarshal(payload, &p)
	return accepted(p), err
}

// approvedBefore approves the quote that an acceptance is about.
func (b bundle) approvedBefore(t *testing.T) func(context.Context, *pgxpool.Pool, envelope.Raw) error {
	t.Helper()
	return func(_ context.Context, _ *pgxpool.Pool, e envelope.Raw) error {
		if e.EventType != "QuoteAccepted" {
			return nil
		}
		q, err := acceptanceIn(e.Payload)
		if err == nil {
			b.approve(t, q)
		}
		return err
	}
}

// activeBefore makes the order that its own event is about.
func (b bundle) activeBefore(t *testing.T) func(context.Context, *pgxpool.Pool, envelope.Raw) error {
	t.Helper()
	return func(_ context.Context, _ *pgxpool.Pool, e envelope.Raw) error {
		if e.EventType != "OrderActivated" {
			return nil
		}
		d := capture(tenant, serviceActor, acceptance(t, "q_"+envelope.NewID(), nil), noon, "evt_0")
		captured, _ := d.events[0].payload.(orderCaptured)
		d.OrderID, captured.OrderID = e.AggregateID, e.AggregateID
		d.events[0].payload = captured
		d.proceed(false)
		return b.in(t, func(ctx context.Context, tx pgx.Tx) error { return b.store(ctx, tx, d) })
	}
}

func effects(ctx context.Context, pool *pgxpool.Pool) (text string, err error) {
	err = database.InTenant(ctx, pool, database.Platform, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat(
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM orders.mirror_quote t),
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM orders.order_capture t),
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM orders.sales_order t),
			(SELECT count(*) FROM factline.outbox_event WHERE stamped))`).Scan(&text)
	})
	return text, err
}

// contractProducer has made every event that the service makes.
func contractProducer(t *testing.T) contracttest.Producer {
	t.Helper()
	b := setup(t)
	good := acceptance(t, "q_1", nil)
	b.approve(t, good)
	if err := b.event(t, good, "evt_1"); err != nil {
		t.Fatal(err)
	}
	if err := b.event(t, acceptance(t, "q_2", nil), "evt_2"); !consumer.IsRejected(err) {
		t.Fatalf("an acceptance that nobody approved: %v", err)
	}
	hold := acceptance(t, "q_3", func(q *acceptedQuote) { q.Lines[1].ProductCode = "TELEX" })
	b.approve(t, hold)
	if err := b.event(t, hold, "evt_3"); err != nil {
		t.Fatal(err)
	}
	b.fulfil(t, "q_1")
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, orderTopic, 1, nil)
	return contracttest.Producer{
		Catalogue: b.host.Contracts, Service: Name, Pool: b.pool, Brokers: kafka.Addrs(), Later: later(),
	}
}

// later names what each event waits for whose contract stands before the service
// makes it.
func later() map[string]string {
	const cancellation, compensation, fallout = "cancellation of orders and lines", "compensation of completed lines", "fulfilment by the adapter, and what people do about its failures"
	return map[string]string{
		"OrderCancellationRequested":         cancellation,
		"OrderCancelled":                     cancellation,
		"OrderLineCancelled":                 cancellation,
		"OrderLineCompensationRequested":     compensation,
		"OrderLineCompensated":               compensation,
		"OrderLineCompensationFailed":        compensation,
		"OrderLineFailed":                    fallout,
		"OrderLineFulfillmentResultRejected": fallout,
		"OrderLineRetried":                   fallout,
		"OrderLineWaived":                    fallout,
	}
}

// fulfil brings the order of a quote to its end.
func (b bundle) fulfil(t *testing.T, quoteID string) {
	t.Helper()
	err := b.in(t, func(ctx context.Context, tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(ctx, `SELECT order_id FROM orders.sales_order WHERE quote_id = $1`, quoteID).Scan(&id); err != nil {
			return err
		}
		if err := b.onOrderActivated(ctx, tx, envelope.Event[orderActivated]{EventID: "evt_a", TenantID: tenant, Payload: orderActivated{OrderID: id}}); err != nil {
			return err
		}
		for range 3 {
			o, err := find(ctx, tx, "lock_order", tenant, id)
			if err != nil {
				return err
			}
			for _, l := range o.Lines {
				if err := b.Complete(ctx, tx, tenant, id, serviceActor, Result{LineID: l.OrderLineID, Attempt: 1, ExternalReference: "X-1"}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
