package lint_test

import (
	"slices"
	"testing"

	"factline.dev/contract/lint"
)

// What a rule lets pass, and what it still finds right beside it.
func TestExceptionsAreNarrow(t *testing.T) {
	t.Parallel()
	const unread = "basket-service.stock.consumer"
	private := edit{basket, "visibility: public", "visibility: private"}
	platform := edit{services, "trust: EDGE", "trust: PLATFORM"}
	whole := edit{paid + "event.yaml", "reads: [basketId, total]", `reads: ["*"]`}
	open := edit{paid + "v1.schema.json", `"const": "basket-service"`, `"type": "string"`}
	anyProducer := edit{paid + "event.yaml", "ownerService: basket-service", "ownerService: basket-service\nanyProducer: true"}
	promisesNothing := edit{paid + "event.yaml", "compatibility: additive", "compatibility: none"}
	choice := edit{paid + "v1.schema.json", `"payload": {`, `"payload": {"oneOf": [{"properties": {"cash": {"type": "string"}}, "required": ["cash"]}, {"not": {"required": ["cash"]}, "properties": {"card": {"type": "string"}}}],`}
	prices := edit{paid + "v1.schema.json", `"contactName": {`, `"prices": {"type": "object", "additionalProperties": {"type": "object", "properties": {"net": {"type": "string"}}}}, "contactName": {`}
	reads := func(path string) edit {
		return edit{paid + "event.yaml", "reads: [basketId, total]", `reads: [basketId, total, "` + path + `"]`}
	}
	holds := func(schema, value string) []edit {
		return []edit{{paid + "v1.schema.json", `"contactName": {`, `"reached": ` + schema + `, "contactName": {`}, {paid + "examples/full.json", `"contactName"`, `"reached": ` + value + `, "contactName"`}}
	}
	emails := edit{paid + "v1.schema.json", `"contactName": {`, `"emails": {"type": "array", "items": {"type": "string", "x-pii": true}}, "contactName": {`}
	for _, tt := range []struct {
		name, rule, subject string
		edits               []edit
		rename              [2]string
		found               bool
	}{
		{name: "a platform service copies a private topic whole", rule: "topic-visibility", subject: "BasketPaid", edits: []edit{private, platform, whole}},
		{name: "a platform service reads fields of a private topic", rule: "topic-visibility", subject: "BasketPaid", edits: []edit{private, platform}, found: true},
		{name: "another service copies a private topic whole", rule: "topic-visibility", subject: "BasketPaid", edits: []edit{private, whole}, found: true},
		{name: "an event of any producer leaves the producer open", rule: "agreement", subject: "BasketPaid", edits: []edit{open, anyProducer}},
		{name: "an event of any producer fixes one", rule: "agreement", subject: "BasketPaid", edits: []edit{anyProducer}, found: true},
		{name: "an event of one producer leaves it open", rule: "agreement", subject: "BasketPaid", edits: []edit{open}, found: true},
		{name: "an event on a private topic promises nothing", rule: "compatibility", subject: "BasketPaid", edits: []edit{private, promisesNothing}},
		{name: "a full example holds one branch of a choice", rule: "examples", subject: "BasketPaid", edits: []edit{choice}},
		{name: "a full example lacks a map", rule: "examples", subject: "BasketPaid", edits: []edit{prices}, found: true},
		{name: "a read of a map's values", rule: "consumer-reads", subject: "BasketPaid", edits: []edit{prices, reads("prices.*.net")}},
		{name: "a read of the elements of lists", rule: "consumer-reads", subject: "BasketPaid", edits: []edit{{paid + "v1.schema.json", `"contactName": {`, `"grid": {"items": {"items": {"properties": {"a": {}}}}}, "contactName": {`}, reads("grid[][].a")}},
		{name: "a read of a name in a map", rule: "consumer-reads", subject: "BasketPaid", edits: []edit{prices, reads("prices.bread.net")}, found: true},
		{name: "a mail address among marked elements", rule: "personal-data", subject: "BasketPaid", edits: holds(`{"type": "array", "items": {"type": "string", "x-pii": true}}`, `["jo@example.com"]`)},
		{name: "a mail address at a marked place of a list", rule: "personal-data", subject: "BasketPaid", edits: holds(`{"type": "array", "prefixItems": [{"type": "string", "x-pii": true}]}`, `["jo@example.com"]`)},
		{name: "a mail address beside a marked place of a list", rule: "personal-data", subject: "BasketPaid", edits: holds(`{"type": "array", "prefixItems": [{"type": "string", "x-pii": true}]}`, `["", "jo@example.com"]`), found: true},
		{name: "a mail address among marked values of a map", rule: "personal-data", subject: "BasketPaid", edits: holds(`{"type": "object", "additionalProperties": {"type": "string", "x-pii": true}}`, `{"home": "jo@example.com"}`)},
		{name: "a mail address beside marked names", rule: "personal-data", subject: "BasketPaid", edits: holds(`{"type": "object", "patternProperties": {"^x-": {"type": "string", "x-pii": true}}}`, `{"home": "jo@example.com"}`), found: true},
		{name: "a list of personal data whose elements are marked", rule: "personal-data", subject: "BasketPaid", edits: []edit{emails}},
		{name: "marked elements that the record denies", rule: "personal-data", subject: "BasketPaid", edits: []edit{holds(`{"type": "array", "items": {"type": "string", "x-pii": true}}`, `[]`)[0], {paid + "v1.schema.json", "\"contactName\": {\n          \"type\": \"string\",\n          \"x-pii\": true", "\"buyer\": {\n          \"type\": \"string\""}, {paid + "event.yaml", "containsPII: true", "containsPII: false"}}, found: true},
		{name: "an event about an event on an audit export", rule: "event-vague", subject: "EventAudited", edits: []edit{{basket, "category: domain", "category: audit-export"}}, rename: [2]string{"BasketPaid", "EventAudited"}},
		{name: "an event about an event elsewhere", rule: "event-vague", subject: "EventAudited", rename: [2]string{"BasketPaid", "EventAudited"}, found: true},
		{name: "an aggregate beside the main one has a key of its own", rule: "key-justified", subject: "BasketOpened", edits: []edit{{opened + "event.yaml", "key: basketId", "key: shop"}, {opened + "event.yaml", "aggregateType: Basket", "aggregateType: Shelf"}}},
		{name: "a group on dead letters", rule: "consumer-declared", subject: "basket-service", edits: []edit{{services, "{ name: shop.stock.current-state.v1, mode: latest }", "{ name: shop.stock.current-state.dlt.v1, mode: unordered }"}}},
		{name: "a low-trust group on dead letters", rule: "low-trust", subject: "partner-feed", edits: []edit{{services, "name: " + unread + "\n        purpose: Knows what is in stock.\n        topics:\n          - { name: shop.stock.current-state.v1, mode: latest }", "name: " + unread + "\n        purpose: Knows what is in stock."}, {services, "{ name: shop.stock.current-state.v1, mode: latest }", "{ name: shop.stock.current-state.dlt.v1, mode: unordered }"}}, found: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := planted{edits: tt.edits, rename: tt.rename}
			found := lint.Check(load(t, p.plant(t)), today()).Findings
			if got := slices.ContainsFunc(found, func(f lint.Finding) bool { return f.Rule == tt.rule && f.Subject == tt.subject }); got != tt.found {
				t.Errorf("found %t, want %t: %v", got, tt.found, found)
			}
		})
	}
}
