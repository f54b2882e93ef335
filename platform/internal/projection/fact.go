package projection

import (
	"factline.dev/consumer"
	"factline.dev/envelope"
)

const orderAggregate = "Order"

// types are the events that the order read model is made of.
func types() []string {
	return []string{
		"OrderCaptured", "OrderValidated", "OrderValidationFailed", "OrderActivated", "OrderSubmittedForFulfillment",
		"OrderLineStarted", "OrderLineFulfillmentRequested", "OrderLineFulfillmentCompleted", "OrderCompleted",
	}
}

// fact is one event of an order, its payload one of the generated types.
type fact = envelope.Event[any]

// decode reads the events of orders, and leaves out those of other aggregates on
// the topic.
func decode(ms []consumer.Message) ([]fact, error) {
	events := make([]fact, 0, len(ms))
	for _, m := range ms {
		if m.AggregateType != orderAggregate {
			continue
		}
		payload, err := decodePayload(m.Raw)
		if err != nil {
			return nil, consumer.Permanent(err)
		}
		events = append(events, envelope.WithPayload(m.Raw, payload))
	}
	return events, nil
}
