package effect_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/effect"
)

// A confirmation goes out for each order that was captured: stored by the
// event's handler, sent after the commit.
func ExampleCaller_Do() {
	mails, err := effect.NewCaller("order-service.confirmation-mail")
	if err != nil {
		fmt.Println(err)
		return
	}
	handle := func(ctx context.Context, tx pgx.Tx, eventID, orderID string) error {
		// ... the effect in the own database, and in the same transaction:
		_, err := mails.Do(ctx, tx, effect.Call{
			Key:      eventID + "/confirmation",
			OrderKey: orderID,
			Request:  fmt.Appendf(nil, `{"orderId":%q}`, orderID),
		})
		return err
	}
	// In a replay the same handler sends nothing.
	replay := effect.WithReplay(context.Background(), func(name string, c effect.Call) {
		fmt.Printf("%s would send %s: %s\n", name, c.Key, c.Request)
	})
	if err := handle(replay, nil, "evt_01", "order_7"); err != nil {
		fmt.Println(err)
	}
	// Output: order-service.confirmation-mail would send evt_01/confirmation: {"orderId":"order_7"}
}

// The worker runs beside the service, in as many processes as there are.
func ExampleNewWorker() {
	run := func(ctx context.Context, pool *pgxpool.Pool, mails *effect.Caller) error {
		provider, err := effect.NewHTTP(effect.HTTPConfig{
			URL:    "https://mail.example/v1/messages",
			Header: http.Header{"Authorization": {"Bearer ..."}},
		})
		if err != nil {
			return err
		}
		worker, err := effect.NewWorker(effect.WorkerConfig{
			Caller: mails, Pool: pool, Performer: provider,
			OnResult: func(ctx context.Context, tx pgx.Tx, r effect.Result) error {
				_, err := tx.Exec(ctx, "UPDATE orders SET confirmation = $2 WHERE order_id = $1", r.OrderKey, r.Response)
				return err
			},
		})
		if err != nil {
			return err
		}
		return worker.Run(ctx)
	}
	mails, err := effect.NewCaller("order-service.confirmation-mail")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run(context.Background(), nil, mails)) // names every field that is missing
	// Output: effect: check worker configuration: effect.WorkerConfig.Pool: it is nil; pass the pool of the service's database
}
