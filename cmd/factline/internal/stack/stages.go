package stack

import (
	"embed"

	"factline.dev/runbook"
)

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("stack: unknown statement " + name)
	}
	return string(text)
}

// Stages are the rows that an accepted quote leaves on its way to the read
// model, in the tables of the platform's services.
func Stages() []runbook.Stage {
	return []runbook.Stage{
		{
			Name: "quote", Service: "quote-service", SQL: statement("quote"), Aggregate: "Quote",
			HandOver: []string{"QuoteAccepted"}, Until: "the quote is not accepted yet",
		},
		{
			Name: "order capture", Service: "order-service", SQL: statement("order_capture"),
			Group: "order-service.quote-events.consumer", Ends: []string{"REJECTED"},
		},
		{Name: "order", Service: "order-service", SQL: statement("order"), Aggregate: "Order"},
		{
			Name: "order summary", Service: "projection-service", SQL: statement("order_summary"), Table: statement("order_summary_table"),
			Group: "projection-service.order-read-model.consumer", Follows: true,
		},
	}
}
