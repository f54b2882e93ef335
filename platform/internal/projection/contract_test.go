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

func TestTheOrderReadModelKeepsItsContracts(t *testing.T) {
	t.Parallel()
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
	broken, err := contracttest.Consumer{
		Catalogue: catalogue,
		Config: consumer.Config{
			Group: OrderGroup, Service: Name, Pool: factlinetest.Postgres(t, migrated), Brokers: kafka.Addrs(), Outbox: ob,
			Contracts: catalogue, Subscriptions: []consumer.Subscription{subscription()},
		},
		Effects: effects, Before: captureFirst, Later: later(),
	}.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range broken {
		t.Error(problem)
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
