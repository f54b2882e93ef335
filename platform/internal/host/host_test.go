package host

import (
	"strings"
	"testing"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/database"
)

// An event in the platform's name used to run its handler with every tenant's
// rows in sight.
func TestConsumersRefuseEventsInThePlatformsName(t *testing.T) {
	t.Parallel()
	all, none := ownTenants(nil), ownTenants(func(string) bool { return false })
	if all(database.Platform) || !all("tenant_001") || none("tenant_001") {
		t.Errorf("platform %v, a tenant %v, a tenant that the preset refuses %v; want false, true, false",
			all(database.Platform), all("tenant_001"), none("tenant_001"))
	}
}

// Two services that refuse a tenant would tell each other for ever.
func TestThereIsNoAlertAboutAnAlert(t *testing.T) {
	t.Parallel()
	raise := Host{}.WithDefaults().raiseAlert(nil) // an append would panic
	if err := raise(t.Context(), nil, consumer.Alert{EventType: alertEvent, TenantID: "tenant_001"}); err != nil {
		t.Error(err)
	}
}

// An alert that its contract refused would fail the transaction that gives the
// event up, again and again, and with it the partition.
func TestAnAlertFitsItsContractWhateverTheEventSaysOfItself(t *testing.T) {
	t.Parallel()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	h := Host{Contracts: catalogue}.WithDefaults()
	ob, err := h.Outbox("order-service")
	if err != nil {
		t.Fatal(err)
	}
	raise := h.raiseAlert(ob)
	for _, tt := range []struct {
		name   string
		change func(a *consumer.Alert, c *envelope.Cause)
	}{
		{"as it should be", func(*consumer.Alert, *envelope.Cause) {}},
		{"an event id that is none", func(a *consumer.Alert, _ *envelope.Cause) { a.EventID = "no identifier" }},
		{"a tenant that is none", func(a *consumer.Alert, _ *envelope.Cause) { a.TenantID = "\x1b[2J" }},
		{"no tenant", func(a *consumer.Alert, _ *envelope.Cause) { a.TenantID = "" }},
		{"a long correlation", func(_ *consumer.Alert, c *envelope.Cause) { c.CorrelationID = strings.Repeat("c", 2000) }},
		{"a correlation that does not print", func(_ *consumer.Alert, c *envelope.Cause) { c.CorrelationID = "\x00" }},
		{"a long reason", func(a *consumer.Alert, _ *envelope.Cause) { a.Reason = strings.Repeat("\u00e9", 5000) }},
		{"a reason that is no text", func(a *consumer.Alert, _ *envelope.Cause) { a.Reason = "\xff\x00\x1b[2J" }},
		{"a long producer", func(a *consumer.Alert, _ *envelope.Cause) { a.Producer = strings.Repeat("p", 5000) }},
		{"a producer that is no text", func(a *consumer.Alert, _ *envelope.Cause) { a.Producer = "\xff\x1b[2J" }},
		{"no producer", func(a *consumer.Alert, _ *envelope.Cause) { a.Producer = "" }},
		{"metadata of its own", func(_ *consumer.Alert, c *envelope.Cause) {
			c.Metadata = map[string]string{"actorId": strings.Repeat("a", 5000)}
		}},
	} {
		a := consumer.Alert{
			Group: "order-service.quote.consumer", Service: "order-service", DeadLetterID: "dlt_1", EventID: "evt_1", EventType: "QuoteAccepted",
			TenantID: "tenant_001", Producer: "quote-service", Topic: "cpq.quote.events.v1", Reason: "refused",
		}
		c := envelope.Cause{TenantID: "tenant_001", CorrelationID: "cor_1"}
		tt.change(&a, &c)
		ctx, buffer := outbox.WithBuffer(envelope.WithCause(t.Context(), c), nil)
		if err := raise(ctx, nil, a); err != nil || buffer.Len() != 1 {
			t.Errorf("%s: %d alerts, %v, want one", tt.name, buffer.Len(), err)
		}
	}
}

func TestAnAlertRepeatsNoCauseThatIsNoIdentifier(t *testing.T) {
	t.Parallel()
	hostile := consumer.Alert{EventID: "no identifier", TenantID: "\x1b[2J", Service: "order-service"}
	got := causeOf(hostile, envelope.Cause{CorrelationID: strings.Repeat("c", 65), Metadata: map[string]string{"actorId": "a person"}})
	if got.CorrelationID != "" || got.CausationID != "" || got.TenantID != database.Platform || got.Metadata["actorId"] != "order-service" {
		t.Errorf("cause = %+v, want nothing of what the event claims", got)
	}
	got = causeOf(consumer.Alert{EventID: "evt_1", TenantID: "tenant_001"}, envelope.Cause{CorrelationID: "cor_1"})
	if got.CorrelationID != "cor_1" || got.CausationID != "evt_1" || got.TenantID != "tenant_001" {
		t.Errorf("cause = %+v, want the event's", got)
	}
}
