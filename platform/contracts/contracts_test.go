package contracts_test

import (
	"encoding/json"
	"slices"
	"testing"

	"factline.dev/contract"
	"factline.dev/platform/contracts"
)

func load(t *testing.T) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryExampleIsAValidEventOfItsContract(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, e := range c.Events() {
		if len(e.Examples) < 2 {
			t.Errorf("%s has %d examples, want minimal and full", e.Type, len(e.Examples))
		}
		for _, x := range e.Examples {
			if err := c.Validate(e.Type, e.Version, x.Value); err != nil {
				t.Errorf("%s: %v", x.File, err)
			}
			var record struct {
				Payload json.RawMessage `json:"payload"`
			}
			if err := json.Unmarshal(x.Value, &record); err != nil {
				t.Fatalf("%s: %v", x.File, err)
			}
			route, err := c.Route(e.Type, e.Version, record.Payload)
			if err != nil || route.Key == "" || route.Topic != e.Topic {
				t.Errorf("%s: route %+v, %v", x.File, route, err)
			}
		}
	}
}

func TestEveryFieldThatAConsumerReadsIsDeclared(t *testing.T) {
	t.Parallel()
	for _, e := range load(t).Events() {
		for _, consumer := range e.Consumers {
			for _, field := range consumer.Reads {
				if _, ok := e.Field(field); !ok && field != "*" {
					t.Errorf("%s reads %s.%s, which is not declared", consumer.Group, e.Type, field)
				}
			}
		}
	}
}

func TestPersonalDataStandsOnlyWhereItIsDeclared(t *testing.T) {
	t.Parallel()
	personal := []string{
		"ConfigurationFinalized", "QuoteAccepted", "OrderLineFulfillmentRequested", "OrderLineCompensationRequested",
		"CustomerEntitlementChanged", "CustomerEntitlementStateSnapshotted",
	}
	for _, e := range load(t).Events() {
		holds := false
		for _, f := range e.Fields() {
			holds = holds || f.PII
		}
		declared := slices.Contains(personal, e.Type)
		if holds != declared || e.ContainsPII != declared {
			t.Errorf("%s: marked %t, declared %t, want %t", e.Type, holds, e.ContainsPII, declared)
		}
	}
}
