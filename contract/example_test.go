package contract_test

import (
	"fmt"

	"factline.dev/contract"
	"factline.dev/platform/contracts"
)

func ExampleLoad() {
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		for _, problem := range contract.Problems(err) {
			fmt.Println(problem)
		}
		return
	}
	route, err := catalogue.Route("OrderCaptured", 1, []byte(`{"orderId": "ord_1"}`))
	fmt.Println(route.Topic, route.Key, err)

	err = catalogue.Validate("OrderCaptured", 1, []byte(`{"payload": {"orderId": "ord_1"}}`))
	fmt.Println(err)
	// Output:
	// oms.order.events.v1 ord_1 <nil>
	// contract: check OrderCaptured v1: aggregateId is required, aggregateType is required, eventId is required (and 12 more); see "factline contracts show OrderCaptured"
}
