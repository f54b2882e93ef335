package contract_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
)

func TestDerivedTopics(t *testing.T) {
	t.Parallel()
	topic, ok := loadPlatform(t).Topic("oms.order.events.v1")
	if !ok {
		t.Fatal("no order topic")
	}
	var names []string
	var delays []time.Duration
	for _, r := range topic.RetryTopics() {
		names, delays = append(names, r.Name), append(delays, r.Delay)
		if r.Partitions != (contract.Partitions{Production: 12, Local: 3}) || r.Owner != "order-service" || r.Classification != "high" {
			t.Errorf("retry topic %+v", r)
		}
	}
	if want := []string{"oms.order.events.retry.1m.v1", "oms.order.events.retry.15m.v1", "oms.order.events.retry.1h.v1"}; !slices.Equal(names, want) {
		t.Errorf("retry topics %v, want %v", names, want)
	}
	if want := []time.Duration{time.Minute, 15 * time.Minute, time.Hour}; !slices.Equal(delays, want) {
		t.Errorf("delays %v, want %v", delays, want)
	}
	dlt := topic.DeadLetters()
	if dlt.Name != "oms.order.events.dlt.v1" || dlt.Name != topic.DeadLetterTopic() {
		t.Errorf("dead-letter topic %q and %q", dlt.Name, topic.DeadLetterTopic())
	}
	if dlt.MaxMessageBytes != 8<<20 || dlt.Owner != "platform-operations" || dlt.RetentionMs != 7776000000 || dlt.Partitions.Production != 12 {
		t.Errorf("dead-letter topic %+v", dlt)
	}
}

func TestDerivedTopicsKeepTheVersionOfTheirSource(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.b.events.v1":  "a.b.events.dlt.v1",
		"a.b.events.v12": "a.b.events.dlt.v12",
		"a.b.events":     "a.b.events.dlt.v1",
		"a.b.vault":      "a.b.vault.dlt.v1",
	} {
		if got := (&contract.Topic{Name: name}).DeadLetterTopic(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestADeadLetterIsNeverClassedLow(t *testing.T) {
	t.Parallel()
	topic, _ := loadShop(t).Topic("shop.stock.current-state.v1")
	if topic.Classification != "low" || topic.DeadLetters().Classification != "medium" {
		t.Errorf("source %s, dead letters %s", topic.Classification, topic.DeadLetters().Classification)
	}
}

func TestTopicDefaults(t *testing.T) {
	t.Parallel()
	topic, _ := loadShop(t).Topic("shop.basket.events.v1")
	if topic.OnDeadLetter != "block" || topic.MaxMessageBytes != 1<<20 || topic.DeadLetter.Owner != "basket-service" ||
		topic.DeadLetters().RetentionMs != (90*24*time.Hour).Milliseconds() {
		t.Errorf("%+v", topic)
	}
}

func TestSchemaIsFoundByTheReferenceOnTheWire(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	for _, e := range c.Events() {
		text, ok := c.Schema(e.SchemaRef())
		var doc struct {
			Title string `json:"title"`
		}
		if err := json.Unmarshal(text, &doc); !ok || err != nil || doc.Title != e.Type {
			t.Errorf("%s: found %t, title %q, %v", e.SchemaRef(), ok, doc.Title, err)
		}
	}
	if _, ok := c.Schema("schema://oms.order.events/OrderCaptured/2"); ok {
		t.Error("a version that does not exist was found")
	}
}

func TestListsAreSortedAndTheCallersOwn(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	names := func() (all []string) {
		for _, topic := range c.Topics() {
			all = append(all, topic.Name)
		}
		return all
	}
	before := names()
	if !slices.IsSorted(before) || len(before) == 0 {
		t.Errorf("topics %v", before)
	}
	slices.Reverse(c.Topics())
	if !slices.Equal(before, names()) {
		t.Error("the caller's change reached the catalogue")
	}
}

func TestGroupsKnowServiceAndMode(t *testing.T) {
	t.Parallel()
	g, ok := loadPlatform(t).Group("order-service.quote-events.consumer")
	if !ok || g.Service != "order-service" || !g.SideEffects {
		t.Fatalf("group %+v, %t", g, ok)
	}
	if mode, ok := g.Mode("cpq.quote.events.v1"); !ok || mode != "ordered" {
		t.Errorf("mode %q, %t", mode, ok)
	}
	if _, ok := g.Mode("oms.order.events.v1"); ok {
		t.Error("a topic that the group does not read has a mode")
	}
}

func TestReadByListsWhatAGroupDeclares(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	var types []string
	for _, e := range c.ReadBy("quote-service.order-events.consumer") {
		types = append(types, e.Type)
	}
	if want := []string{"OrderCaptureRejected", "OrderCaptured"}; !slices.Equal(types, want) {
		t.Errorf("got %v, want %v", types, want)
	}
	if got := c.ReadBy("nobody"); len(got) != 0 {
		t.Errorf("nobody reads %d events", len(got))
	}
}

func TestFieldsAreFlattened(t *testing.T) {
	t.Parallel()
	e, _ := loadPlatform(t).Event("QuoteAccepted", 1)
	for _, want := range []contract.Field{
		{Path: "quoteId", Type: "string", Required: true},
		{Path: "lines", Type: "array of object", Required: true},
		{Path: "lines[].quantity", Type: "integer", Required: true},
		{Path: "lines[].dependsOn", Type: "array of string", Required: true},
		{Path: "lines[].characteristics", Type: "map", Required: true},
		{Path: "lines[].site", Type: "object"},
		{Path: "lines[].site.contactName", Type: "string", PII: true},
		{Path: "totals.oneTimeTotal", Type: "string", Required: true},
		{Path: "requestedCompletionDate", Type: "string", Format: "date"},
	} {
		got, ok := e.Field(want.Path)
		if got.Description == "" || got.Title == "" {
			t.Errorf("%s has no title or description", want.Path)
		}
		got.Title, got.Description, got.Enum = "", "", nil
		if !ok || got.Path != want.Path || got.Type != want.Type || got.Format != want.Format || got.Required != want.Required || got.PII != want.PII {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if action, _ := e.Field("lines[].action"); !slices.Equal(action.Enum, []string{"ADD", "MODIFY", "REMOVE"}) {
		t.Errorf("enum %v", action.Enum)
	}
}

func TestTheSchemaOfAFieldIsAllThatItIsMadeOf(t *testing.T) {
	t.Parallel()
	files := shop(t)
	files["types.schema.json"] = &fstest.MapFile{Data: []byte(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://shop.example/contracts/types.schema.json",
  "$defs": {"word": {"$ref": "#/$defs/short text"}, "short text": {"maxLength": 5}, "other": {"maxLength": 6}}
}`)}
	replace(t, files, paidSchema, `"contactName": {`, `"contactName": {
          "propertyNames": {"$ref": "../../../types.schema.json#/$defs/word"}, "properties": {"a": true},`)
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Event("BasketPaid", 1)
	f, _ := e.Field("contactName")
	text, err := json.Marshal(f.Schema())
	want := `{"` + paidSchema + `#/properties/payload/properties/contactName":{"properties":{"a":true},"propertyNames":{"$ref":"../../../types.schema.json#/$defs/word"},"type":"string","x-pii":true},` +
		`"types.schema.json#/$defs/short%20text":{"maxLength":5},"types.schema.json#/$defs/word":{"$ref":"#/$defs/short text"}}`
	if err != nil || string(text) != want {
		t.Errorf("got  %s\nwant %s (%v)", text, want, err)
	}
	if !slices.Contains(e.SchemaFiles(), "types.schema.json") {
		t.Errorf("made of %v", e.SchemaFiles())
	}
}

func TestRouteFollowsTheContract(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	got, err := c.Route("OrderCaptureRejected", 1, []byte(`{"captureId":"ocap_1","quoteId":"q_7"}`))
	want := contract.Route{
		Topic: "oms.order.events.v1", Key: "q_7", SchemaRef: "schema://oms.order.events/OrderCaptureRejected/1",
		Producer: "order-service", AggregateType: "OrderCapture",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRouteRefusesAnEventWithoutItsKey(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	for name, payload := range map[string]string{
		"no key":         `{"quoteId":"q_1"}`,
		"an empty key":   `{"orderId":""}`,
		"a number":       `{"orderId":7}`,
		"null":           `{"orderId":null}`,
		"no object":      `["orderId"]`,
		"null itself":    `null`,
		"no JSON at all": `{"orderId"`,
		"nothing":        ``,
	} {
		var violation *contract.ViolationError
		if _, err := c.Route("OrderCaptured", 1, []byte(payload)); !errors.As(err, &violation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRouteTakesTheFirstKeyThatIsThere(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, paidEvent, "key: basketId", "key: [contactName, basketId]")
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		`{"basketId":"b_1"}`:                   "b_1",
		`{"basketId":"b_1","contactName":"c"}`: "c",
	} {
		if got, err := c.Route("BasketPaid", 1, []byte(payload)); err != nil || got.Key != want {
			t.Errorf("%s: got %q, %v, want %q", payload, got.Key, err, want)
		}
	}
}

func TestUnknownEvents(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	var unknown *contract.UnknownEventError
	if err := c.Validate("OrderCaptured", 2, nil); !errors.As(err, &unknown) || !unknown.KnownType() || !slices.Equal(unknown.Versions, []int{1}) {
		t.Errorf("an unknown version: %v", err)
	}
	if err := c.Validate("OrderCaptred", 1, nil); !errors.As(err, &unknown) || unknown.KnownType() || unknown.Nearest != "OrderCaptured" {
		t.Errorf("a misspelt type: %v", err)
	}
	if err := c.Validate("x\n\x1b[31m", 1, nil); !errors.As(err, &unknown) || unknown.Nearest != "" {
		t.Errorf("a strange type: %v", err)
	}
}

func TestAnEventOfAnyProducerNamesNone(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, paidEvent, "ownerService: basket-service", "ownerService: basket-service\nanyProducer: true")
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Route("BasketPaid", 1, []byte(`{"basketId":"b_1"}`))
	if err != nil || got.Producer != "" {
		t.Errorf("producer %q, %v", got.Producer, err)
	}
}

func TestDerivedTopicsAreFoundByName(t *testing.T) {
	t.Parallel()
	c := loadPlatform(t)
	d, ok := c.Derived("oms.order.events.retry.15m.v1")
	if !ok || d.Source != "oms.order.events.v1" || d.Tier != "15m" {
		t.Errorf("%+v, %t", d, ok)
	}
	if _, ok := c.Derived("oms.order.events.v1"); ok {
		t.Error("a topic of the catalogue counts as derived")
	}
}
