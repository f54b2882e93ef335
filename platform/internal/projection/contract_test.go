package projection

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/contracttest"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/database"
)

// contractConsumers are the groups that the catalogue declares.
func contractConsumers() map[string]contracttest.Subject {
	return map[string]contracttest.Subject{
		OrderGroup: {Consumer: orderConsumer},
		"projection-service.quote-pipeline.consumer":  {Waits: "the read model of quotes"},
		"projection-service.customer-orders.consumer": {Waits: "the read model of customers"},
		"projection-service.catalog-search.consumer":  {Waits: "the read model of the catalogue"},
		"projection-service.partner-status.consumer":  {Waits: "the read model of partners"},
	}
}

func orderConsumer(t *testing.T) contracttest.Consumer {
	t.Helper()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	ob, err := outbox.New(outbox.Config{Contracts: catalogue, Producer: Name})
	if err != nil {
		t.Fatal(err)
	}
	kafka := factlinetest.Kafka(t)
	kafka.CreateTopic(t, orderTopic, 1, nil)
	return contracttest.Consumer{
		Catalogue: catalogue,
		Config: consumer.Config{
			Group: OrderGroup, Service: Name, Pool: factlinetest.Postgres(t, migrated), Brokers: kafka.Addrs(), Outbox: ob,
			Contracts: catalogue, Subscriptions: []consumer.Subscription{subscription()},
		},
		Effects: effects, Before: captureFirst, Later: later(),
	}
}

// contractProducer has made nothing: the only event of the service waits.
func contractProducer(t *testing.T) contracttest.Producer {
	t.Helper()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	return contracttest.Producer{
		Catalogue: catalogue, Service: Name, Pool: factlinetest.Postgres(t, migrated), Brokers: factlinetest.Kafka(t).Addrs(),
		Later: map[string]string{"PartnerOrderStatusChanged": "the read model of partners"},
	}
}

func effects(ctx context.Context, pool *pgxpool.Pool) (text string, err error) {
	err = database.InTenant(ctx, pool, database.Platform, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat(
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM projection.order_summary_projection t),
			(SELECT string_agg(t::text, E'\n' ORDER BY t::text) FROM projection.order_line_projection t))`).Scan(&text)
	})
	return text, err
}

// captureFirst makes the row that all other events of an order change.
func captureFirst(ctx context.Context, pool *pgxpool.Pool, e envelope.Raw) error {
	if e.EventType == "OrderCaptured" {
		return nil
	}
	captured := life(e.AggregateID)[0]
	captured.AggregateVersion = 0
	return database.InTenant(ctx, pool, e.TenantID, func(tx pgx.Tx) error {
		events, err := decode([]consumer.Message{captured})
		if err != nil {
			return err
		}
		row := &summary{LastVersion: -1}
		row.apply(events[0])
		table, _, err := liveTables(ctx, tx)
		if err != nil {
			return err
		}
		return save(ctx, tx, "save_summaries", table, []summary{*row})
	})
}

// later names what each event waits for that the read model declares and does not
// apply yet.
func later() map[string]string {
	const (
		cancellation  = "cancellation of orders and lines"
		compensation  = "compensation of completed lines"
		fallout       = "fulfilment by the adapter, and what people do about its failures"
		orchestration = "orders that the process engine runs"
	)
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
		"FulfillmentRequestAccepted":         fallout,
		"FulfillmentRequestClosed":           fallout,
		"FulfillmentRequestDispatched":       fallout,
		"FulfillmentCancellationRejected":    fallout,
		"FulfillmentMilestoneReached":        fallout,
		"OrchestrationCompleted":             orchestration,
		"OrchestrationIncidentRaised":        orchestration,
		"OrchestrationIncidentResolved":      orchestration,
		"OrchestrationStarted":               orchestration,
		"OrderFalloutRaised":                 orchestration,
		"OrderFalloutResolved":               orchestration,
		"OrderLineJeopardyRaised":            orchestration,
	}
}
