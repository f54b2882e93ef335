package consumer_test

import (
	"context"
	"errors"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
)

// A read model: each event becomes a row, once, in order.
func ExampleNew() {
	type captured struct {
		OrderID    string `json:"orderId"`
		CustomerID string `json:"customerId"`
	}
	run := func(ctx context.Context, pool *pgxpool.Pool, ob *outbox.Outbox) error {
		runner, err := consumer.New(consumer.Config{
			Group: "projection-service.order-read-model.consumer", Service: "projection-service",
			Pool: pool, Brokers: []string{"127.0.0.1:9092"}, Outbox: ob,
			Subscriptions: []consumer.Subscription{{
				Topic: "oms.order.events.v1",
				Handlers: map[string]consumer.Handler{
					"OrderCaptured": consumer.Handle(func(ctx context.Context, tx pgx.Tx, e envelope.Event[captured]) error {
						if e.Payload.CustomerID == "" {
							return consumer.Permanent(errors.New("an order without a customer"))
						}
						_, err := tx.Exec(ctx, `INSERT INTO projection.order_summary (order_id, customer_id) VALUES ($1, $2)`,
							e.Payload.OrderID, e.Payload.CustomerID)
						return err
					}),
				},
			}},
		})
		if err != nil {
			return err
		}
		return runner.Run(ctx)
	}
	if err := run(context.Background(), nil, nil); err != nil {
		log.Print(err) // names every field that is missing
	}
}
