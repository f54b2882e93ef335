package contracts_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/lint"
	"factline.dev/platform/contracts"
)

// The design rules of the event families: an event that leaves out what one of
// them asks for is no valid event.
func TestAnEventThatBreaksADesignRuleIsRefused(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, rule := range []struct {
		name, event string
		asks        []string
	}{
		{"a published product names the frozen catalogue version", "ProductPublished", []string{"catalogVersionId", "revision"}},
		{"a published offer names the frozen catalogue version", "OfferPublished", []string{"catalogVersionId", "revision"}},
		{"a published catalogue version says what it froze", "CatalogVersionPublished", []string{"catalogVersionId", "contentHash", "offers"}},
		{"a finalized configuration carries its snapshot hash", "ConfigurationFinalized", []string{"configurationHash", "catalogVersionId", "items"}},
		{"a price carries the evidence that repeats it", "PriceCalculated", []string{
			"inputs", "priceBookId", "priceBookVersion", "discountPolicyVersion", "currency", "totals", "explanationRef", "inputHash", "resultHash",
		}},
		{"a priced quote names its price evidence", "QuotePriced", []string{"pricingRunId", "priceBookVersion", "discountPolicyVersion", "totals"}},
		{"an accepted quote holds all that order capture needs", "QuoteAccepted", []string{
			"acceptedBy", "acceptedAt", "acceptedEvidenceRef", "approval", "catalogVersionId", "pricingRunId", "totals", "lines", "commercialSnapshotHash",
		}},
	} {
		for _, field := range rule.asks {
			doc := decode(t, example(t, c, rule.event))
			delete(doc["payload"].(map[string]any), field)
			var violation *contract.ViolationError
			if err := c.Validate(rule.event, 1, encode(t, doc)); !errors.As(err, &violation) {
				t.Errorf("%s: %s without %s: %v", rule.name, rule.event, field, err)
			}
		}
	}
}

func TestLinesOfAnAcceptedQuoteCarryTheHashOfTheirConfiguration(t *testing.T) {
	t.Parallel()
	c := load(t)
	doc := decode(t, example(t, c, "QuoteAccepted"))
	line := doc["payload"].(map[string]any)["lines"].([]any)[0].(map[string]any)
	delete(line, "configurationHash")
	if err := c.Validate("QuoteAccepted", 1, encode(t, doc)); err == nil {
		t.Error("a line without the hash of its configuration was accepted")
	}
}

// Order capture goes by the acceptance alone, so it depends on all of it and
// no field of it can be dropped unnoticed.
func TestOrderCaptureReadsTheWholeAcceptance(t *testing.T) {
	t.Parallel()
	e, _ := load(t).Event("QuoteAccepted", 1)
	if !slices.ContainsFunc(e.Consumers, func(r contract.Consumer) bool {
		return r.Group == "order-service.quote-events.consumer" && slices.Equal(r.Reads, []string{"*"})
	}) {
		t.Error("order-service does not read all of QuoteAccepted")
	}
}

func TestEveryEventOfAnOrderIsKeyedByTheOrder(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, e := range c.Events() {
		if e.AggregateType != "Order" {
			continue
		}
		doc := decode(t, example(t, c, e.Type))
		payload := doc["payload"].(map[string]any)
		if route, err := c.Route(e.Type, 1, encode(t, payload)); err != nil || route.Key != payload["orderId"] {
			t.Errorf("%s: key %q, %v", e.Type, route.Key, err)
		}
		delete(payload, "orderId")
		if route, err := c.Route(e.Type, 1, encode(t, payload)); err == nil {
			t.Errorf("%s without an order was given the key %q", e.Type, route.Key)
		}
	}
}

// Mistakes in the contracts themselves that lint must find.
func TestAContractThatBreaksADesignRuleIsFound(t *testing.T) {
	t.Parallel()
	const accepted, completed, line = "events/cpq.quote.events/QuoteAccepted/", "events/oms.order.events/OrderCompleted/", "events/oms.order.events/OrderLineFailed/"
	for _, tt := range []struct{ name, file, old, new, rule, subject string }{
		{"an order event keyed by its quote", completed + "event.yaml", "key: orderId", "key: quoteId", "key-justified", "OrderCompleted"},
		{"a line event keyed by its line", line + "event.yaml", "key: orderId", "key: orderLineId", "key-justified", "OrderLineFailed"},
		{"an acceptance that no longer says who accepted", accepted + "v1.schema.json", `"acceptedBy": {`, `"acceptor": {`, "consumer-reads", "QuoteAccepted"},
		{"an order's history compacted", "events/oms.order.events/topic.yaml", "cleanupPolicy: delete", "cleanupPolicy: compact", "compaction", "oms.order.events.v1"},
		{"a partner on the orders", "services.yaml", "name: oms.partner.order-status.v1, mode: ordered", "name: oms.order.events.v1, mode: ordered", "low-trust", "partner-gateway"},
		{"a partner on dead letters", "services.yaml", "name: oms.partner.order-status.v1, mode: ordered", "name: oms.partner.order-status.dlt.v1, mode: unordered", "low-trust", "partner-gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := contract.Load(changed(t, tt.file, tt.old, tt.new))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(lint.Check(c, time.Now()).Findings, func(f lint.Finding) bool { return f.Rule == tt.rule && f.Subject == tt.subject }) {
				t.Errorf("no finding of %s on %s", tt.rule, tt.subject)
			}
		})
	}
}

// changed is the contracts folder with one text of one file replaced.
func changed(t *testing.T, file, from, to string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(contracts.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(contracts.FS(), path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := string(files[file].Data)
	if !strings.Contains(text, from) {
		t.Fatalf("%s does not say %q", file, from)
	}
	files[file].Data = []byte(strings.ReplaceAll(text, from, to))
	return files
}

func example(t *testing.T, c *contract.Catalogue, eventType string) []byte {
	t.Helper()
	e, ok := c.Event(eventType, 1)
	if !ok {
		t.Fatalf("no contract of %s", eventType)
	}
	x, ok := e.Example("full")
	if !ok {
		t.Fatalf("%s has no full example", eventType)
	}
	return x.Value
}
