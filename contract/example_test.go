package contract_test

import (
	"fmt"
	"testing/fstest"

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

// Any product can keep its contracts in a folder of its own: here a clinic with
// one topic, one event and one reader.
func ExampleLoad_ownFolder() {
	folder := fstest.MapFS{}
	for name, text := range map[string]string{
		"services.yaml": `
services:
  - name: visit-service
    trust: CORE
  - name: billing-service
    trust: CORE
    groups:
      - name: billing-service.visit-events.consumer
        topics:
          - { name: clinic.visit.events.v1, mode: ordered }
`,
		"events/clinic.visit.events/topic.yaml": `
name: clinic.visit.events.v1
owner: visit-service
partitions: { production: 6, local: 1 }
retryTiers: [1m]
`,
		"events/clinic.visit.events/VisitEnded/event.yaml": `
eventType: VisitEnded
topic: clinic.visit.events.v1
ownerService: visit-service
aggregateType: Visit
key: visitId
consumers:
  - service: billing-service
    group: billing-service.visit-events.consumer
    reads: [visitId, minutes]
`,
		"events/clinic.visit.events/VisitEnded/v1.schema.json": `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://clinic.example/contracts/events/clinic.visit.events/VisitEnded/v1.schema.json",
  "type": "object",
  "properties": {
    "payload": {
      "type": "object",
      "required": ["visitId", "minutes"],
      "properties": {"visitId": {"type": "string"}, "minutes": {"type": "integer", "minimum": 0}}
    }
  }
}`,
	} {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	catalogue, err := contract.Load(folder) // os.DirFS("contracts") in a program
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range catalogue.ReadBy("billing-service.visit-events.consumer") {
		fmt.Println(e.Type, "on", e.Topic, "keyed by", e.KeyName())
	}
	fmt.Println(catalogue.Validate("VisitEnded", 1, []byte(`{"payload": {"visitId": "v_1", "minutes": -3}}`)))
	// Output:
	// VisitEnded on clinic.visit.events.v1 keyed by visitId
	// contract: check VisitEnded v1: payload.minutes must be at least 0; see "factline contracts show VisitEnded"
}
