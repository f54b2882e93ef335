package lint

import (
	"fmt"

	"factline.dev/contract"
)

func agreement() Rule {
	return Rule{
		Name:  "agreement",
		Title: "Schema and ownership record say the same",
		Why: "A schema that does not fix type, version, producer and aggregate lets a wrong event pass as this one, " +
			"and a record that names another schema sends readers to the wrong contract.",
		Good:  "payloadSchema: schema://oms.order.events/OrderCaptured/1, eventType: {const: OrderCaptured}",
		Bad:   "a schema of OrderCaptured with eventType: {const: OrderCreated}",
		check: checkAgreement,
	}
}

func checkAgreement(r *report) {
	for _, e := range r.Events() {
		checkConsts(r, e)
	}
	for _, e := range r.current() {
		if e.PayloadSchema != e.SchemaRef() {
			r.event(e, "payloadSchema", "must be %s, the newest version of the schema", e.SchemaRef())
		}
		if e.Compatibility == "" {
			r.event(e, "compatibility", "is missing; say additive, backward or none")
		}
		if e.Description == "" {
			r.event(e, "description", "is missing; say in a sentence which fact it states")
		}
	}
}

func checkConsts(r *report, e *contract.Event) {
	for _, want := range []struct {
		field string
		value any
	}{
		{"eventType", e.Type},
		{"eventVersion", e.Version},
		{"producer", e.OwnerService},
		{"aggregateType", e.AggregateType},
	} {
		got, ok := e.Const(want.field)
		if want.field == "producer" && e.AnyProducer {
			if ok {
				r.add(e.SchemaFile(), e.Type, "fixes producer to %v while its record says anyProducer; leave it open", got)
			}
			continue
		}
		if !ok || fmt.Sprint(got) != fmt.Sprint(want.value) {
			r.add(e.SchemaFile(), e.Type, "must fix %s to %v", want.field, want.value)
		}
	}
}
