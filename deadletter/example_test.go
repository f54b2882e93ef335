package deadletter_test

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/deadletter"
	"factline.dev/outbox"
)

// Collect the dead letters of all groups. Run it beside the relay of the same
// database, through which redrives leave.
func ExampleNewCollector() {
	ctx := context.Background()
	pool, _ := pgxpool.New(ctx, os.Getenv("OPERATIONS_DATABASE"))
	catalogue, _ := contract.Load(os.DirFS("contracts"))
	collector, err := deadletter.NewCollector(deadletter.CollectorConfig{
		Group: "platform-operations.dead-letters.consumer", Pool: pool,
		Brokers: []string{"localhost:9092"}, Topics: deadletter.Topics(catalogue),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = collector.Run(ctx)
}

// Redrive what one group gave up, after a look at the plan.
func ExampleStore_ApplyRedrive() {
	ctx := context.Background()
	operations, _ := pgxpool.New(ctx, os.Getenv("OPERATIONS_DATABASE"))
	billing, _ := pgxpool.New(ctx, os.Getenv("BILLING_DATABASE"))
	catalogue, _ := contract.Load(os.DirFS("contracts"))
	ob, _ := outbox.New(outbox.Config{Contracts: catalogue, Producer: "platform-operations"})
	store, err := deadletter.NewStore(deadletter.StoreConfig{
		Pool: operations, Contracts: catalogue, Outbox: ob, Outcomes: deadletter.Pools{"billing-service": billing},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := store.PlanRedrive(ctx, deadletter.PlanRequest{
		Selection: deadletter.Selection{Group: "billing-service.order-events.consumer"}, Operator: "kim", Team: "Billing", Reason: "fixed in 1.2",
	})
	if err != nil || plan.Ready < plan.Letters {
		fmt.Println(plan.Refusals, err)
		return
	}
	receipt, err := store.ApplyRedrive(ctx, deadletter.Apply{ID: plan.ID, Operator: "kim", Settings: deadletter.Settings{Rate: 50}})
	fmt.Println(receipt.Applied, receipt.Failed, err)
}
