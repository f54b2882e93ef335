package contract_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"factline.dev/contract"
)

func TestLoadNamesFileLineAndPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		file, old, new string
		want           string
	}{
		{"a misspelt key", basketTopic, "retentionMs:", "retentionMS:", basketTopic + `:10: retentionMS: unknown key; did you mean "retentionMs"`},
		{"a key like no other", basketTopic, "archive:", "zzzzzzzzzzzzzzzz:", "unknown key; known keys are archive, businessOwner"},
		{"a nested misspelt key", basketTopic, "local: 3", "locale: 3", `partitions.locale: unknown key; did you mean "local"`},
		{"a key given twice", basketTopic, "archive: true", "archive: true\narchive: false", "stands twice"},
		{"text for a number", basketTopic, "retentionMs: 2592000000", "retentionMs: 30 days", "retentionMs: must be a whole number"},
		{"a number for text", basketTopic, "key: basketId", "key: 7", "key: must be text; put it in quotes"},
		{"text for a boolean", basketTopic, "archive: true", "archive: sure", "archive: must be true or false"},
		{"a list for a mapping", basketTopic, "partitions: { production: 6, local: 3 }", "partitions: [6, 3]", "partitions: must be a mapping"},
		{"a mapping for text", basketTopic, "key: basketId", "key: { a: b }", "key: must be a single value"},
		{"text for a list of mappings", paidEvent, "consumers:\n", "consumers: none\nx:\n", "consumers: must be a list"},
		{"an alias", basketTopic, "owner: basket-service", "owner: &o basket-service", "anchor or alias"},
		{"no YAML at all", basketTopic, "name: shop", "name: [", basketTopic},
		{"a word outside its list", basketTopic, "category: domain", "category: events", "category: must be one of domain, integration"},
		{"a topic in a folder of another name", basketTopic, "shop.basket.events.v1", "shop.baskets.events.v1", "name: shop.baskets.events.v1 belongs in a folder named shop.baskets.events"},
		{"no partitions", basketTopic, "partitions: { production: 6, local: 3 }\n", "", "partitions.local: must be 1 or more"},
		{"no retry tier", basketTopic, "retryTiers: [1m, 15m]\n", "", "retryTiers: is missing"},
		{"a tier that is no duration", basketTopic, "[1m, 15m]", "[1m, soon]", "retryTiers[1]: must be a duration"},
		{"a tier twice", basketTopic, "[1m, 15m]", "[1m, 1m]", "retryTiers[1]: stands twice"},
		{"an event in a folder of another name", paidEvent, "eventType: BasketPaid", "eventType: BasketSold", "eventType: BasketSold belongs in a folder of its name"},
		{"an event on another topic", paidEvent, "topic: shop.basket.events.v1", "topic: shop.stock.current-state.v1", "topic: must be shop.basket.events.v1"},
		{"no owner", paidEvent, "ownerService: basket-service\n", "", "ownerService: is missing"},
		{"no key", paidEvent, "key: basketId\n", "", "key: must name a field"},
		{"a key that is not in the payload", paidEvent, "key: basketId", "key: orderId", "key: names orderId, which v1.schema.json does not declare"},
		{"a key that is optional", paidEvent, "key: basketId", "key: contactName", "key: names contactName, which is optional"},
		{"a key that is no string", paidSchema, "\"basketId\": {\n          \"type\": \"string\"", "\"basketId\": {\n          \"type\": \"integer\"", "key: names basketId, which is integer"},
		{"a consumer that reads nothing", paidEvent, "    reads: [basketId, total]\n", "", "consumers[0].reads: is missing"},
		{"a schema with broken JSON", paidSchema, `"payload": {`, `"payload": {{`, paidSchema + ":18: is no readable JSON"},
		{"a schema of another dialect", paidSchema, "2020-12", "2019-09", `$schema: must be "https://json-schema.org/draft/2020-12/schema"`},
		{"an id of another path", paidSchema, "BasketPaid/v1", "BasketPaid/v2", "$id: must be an https:// address, one base for the whole folder, that ends in /events"},
		{"a reference to nothing", paidSchema, "envelope.schema.json", "envelop.schema.json", "does not compile"},
		{"a reference to the network", paidSchema, "../../../envelope.schema.json", "https://example.com/envelope.json", "it is not in the folder"},
		{"a schema without a payload", paidSchema, `"payload": {`, `"payloads": {`, ""},
		{"a type that does not exist", paidSchema, `"type": "object"`, `"type": "objekt"`, paidSchema + ":19: does not compile"},
		{"a pattern that is none", paidSchema, `"x-pii": true`, `"pattern": "(["`, paidSchema + ":33: does not compile: at '/properties/payload/properties/contactName/pattern'"},
		{"a reference that leads elsewhere by who follows it", paidSchema, `"x-pii": true`, `"$dynamicRef": "../../../envelope.schema.json"`, paidSchema + ":31: has a $dynamicRef"},
		{"a broken shared schema", "envelope.schema.json", `"type": "object"`, `"type": "objekt"`, "envelope.schema.json:4: does not compile"},
		{"a waiver without an end", "waivers.yaml", "", "waivers:\n  - rule: retention\n    subject: shop.basket.events.v1\n    owner: Shop Team\n    reason: r\n", "waivers.yaml:2: waivers[0].expires: must be a date"},
		{"a waiver with a misspelt key", "waivers.yaml", "", "waivers:\n  - rules: retention\n", `waivers[0].rules: unknown key; did you mean "rule"`},
		{"a waiver that is nothing", "waivers.yaml", "", "waivers:\n  - \n", "waivers[0]: must be a mapping"},
		{"an approval without a fingerprint", "approvals.yaml", "", "approvals:\n  - change: c\n    owner: o\n    reason: r\n    expires: 2030-01-01\n", "approvals.yaml:2: approvals[0].fingerprint: must be the 64"},
		{"a service without trust", "services.yaml", "    trust: EDGE\n", "", "trust: is missing"},
		{"a mode that is none", "services.yaml", "mode: unordered", "mode: random", "mode: must be one of ordered, unordered, latest"},
		{"a group declared twice", "services.yaml", "partner-feed.stock.consumer", "basket-service.stock.consumer", "groups[0].name: basket-service.stock.consumer is declared twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := shop(t)
			if files[tt.file] == nil {
				files[tt.file] = &fstest.MapFile{}
			}
			replace(t, files, tt.file, tt.old, tt.new)
			_, err := contract.Load(files)
			if tt.want == "" {
				return // loads or not, but does not panic
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestLoadReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, basketTopic, "category: domain", "category: nonsense")
	replace(t, files, basketTopic, "archive: true", "archived: true")
	replace(t, files, paidEvent, "key: basketId", "key: missing")
	replace(t, files, "services.yaml", "trust: LOW", "trust: NONE")
	files["events/shop.basket.events/BasketPaid/v1.schem.json"] = &fstest.MapFile{Data: []byte("{}")}
	files["events/notes.txt"] = &fstest.MapFile{Data: []byte("hello")}
	_, err := contract.Load(files)
	problems := contract.Problems(err)
	if len(problems) != 6 {
		t.Fatalf("got %d problems, want 6:\n%v", len(problems), err)
	}
	if _, ok := errors.AsType[*contract.ProblemError](err); !ok {
		t.Error("the joined error does not hold a ProblemError")
	}
	for _, p := range problems {
		if p.File == "" || p.Message == "" {
			t.Errorf("problem without file or message: %v", p)
		}
	}
}

func TestAMissingKeyIsReportedWhereItBelongs(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, "services.yaml", "    trust: EDGE\n", "")
	_, err := contract.Load(files)
	if want := "contract: load services.yaml:13: services[1].trust: is missing"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAFieldStandsWhereItsSchemaDoes(t *testing.T) {
	t.Parallel()
	e, _ := loadShop(t).Event("BasketPaid", 1)
	for field, want := range map[string]int{"basketId": 25, "contactName": 31, "nothing": 0} {
		if file, line := e.FieldPosition(field); file != paidSchema || line != want {
			t.Errorf("%s stands at %s:%d, want line %d", field, file, line, want)
		}
	}
	captured, _ := loadPlatform(t).Event("OrderCaptured", 1)
	if file, line := captured.FieldPosition("totals.oneTimeTotal"); file != "types.schema.json" || line < 2 {
		t.Errorf("a field of a shared schema stands at %s:%d", file, line)
	}
}

// escaped are names that a URL, a JSON pointer or both write otherwise.
func escaped() []string {
	return []string{"straße", "a b", "a/b", "a~b", "a%b", "a%2Fb", "a~1b", "a#b"}
}

// The validator writes names into URLs, and a name that it had to escape was
// found nowhere: its mark of personal data was overlooked.
func TestAFieldMayHaveAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range escaped() {
		files := shop(t)
		replace(t, files, paidSchema, `"contactName"`, strconv.Quote(name))
		c, err := contract.Load(files)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, _ := c.Event("BasketPaid", 1)
		f, ok := e.Field(name)
		if keywords := f.Keywords(); !ok || !f.PII || keywords["x-pii"] != true {
			t.Errorf("%s: %+v with %v", name, f, keywords)
		}
		if file, line := e.FieldPosition(name); file != paidSchema || line != 31 {
			t.Errorf("%s stands at %s:%d", name, file, line)
		}
	}
}

func TestAFaultStandsWhereItsSchemaDoesWhateverItsName(t *testing.T) {
	t.Parallel()
	for _, name := range escaped() {
		files := shop(t)
		replace(t, files, paidSchema, `"contactName": {
          "type": "string"`, strconv.Quote(name)+`: {
          "type": 5`)
		_, err := contract.Load(files)
		if want := paidSchema + ":32: "; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestLoadReportsTheSameEventInTwoPlaces(t *testing.T) {
	t.Parallel()
	files := shop(t)
	for _, name := range []string{"event.yaml", "v1.schema.json"} {
		text := string(files["events/shop.basket.events/BasketPaid/"+name].Data)
		text = strings.ReplaceAll(text, "shop.basket.events", "shop.stock.current-state")
		files["events/shop.stock.current-state/BasketPaid/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	_, err := contract.Load(files)
	if err == nil || !strings.Contains(err.Error(), "an event has one home") {
		t.Errorf("got %v", err)
	}
}

func TestLoadRefusesATopicNamedLikeADerivedOne(t *testing.T) {
	t.Parallel()
	files := shop(t)
	text := strings.ReplaceAll(string(files[basketTopic].Data), "shop.basket.events.v1", "shop.basket.events.dlt.v1")
	files["events/shop.basket.events.dlt/topic.yaml"] = &fstest.MapFile{Data: []byte(text)}
	_, err := contract.Load(files)
	if err == nil || !strings.Contains(err.Error(), "derived from shop.basket.events.v1") {
		t.Errorf("got %v", err)
	}
}

func TestLoadOfNothing(t *testing.T) {
	t.Parallel()
	_, err := contract.Load(fstest.MapFS{})
	if len(contract.Problems(err)) != 2 {
		t.Errorf("got %v, want services.yaml and events to be missed", err)
	}
}

func TestLoadReadsSeveralVersions(t *testing.T) {
	t.Parallel()
	files := shop(t)
	text := strings.NewReplacer("BasketPaid/v1", "BasketPaid/v2", `"const": 1`, `"const": 2`).Replace(string(files[paidSchema].Data))
	files["events/shop.basket.events/BasketPaid/v2.schema.json"] = &fstest.MapFile{Data: []byte(text)}
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for version, wantExamples := range map[int]int{1: 0, 2: 2} {
		e, ok := c.Event("BasketPaid", version)
		if !ok || len(e.Examples) != wantExamples {
			t.Errorf("v%d: found %t with %d examples, want %d", version, ok, len(e.Examples), wantExamples)
		}
	}
}

func TestLoadSurvivesHostileFiles(t *testing.T) {
	t.Parallel()
	nest := strings.Repeat(`{"properties":{"a":`, 5000) + "{}" + strings.Repeat("}}", 5000)
	for name, text := range map[string]string{
		"deep YAML":       strings.Repeat("[", 20000),
		"deep flow":       "a: " + strings.Repeat("{a: ", 5000),
		"binary":          "\x00\xff\xfe",
		"many documents":  "a: b\n---\nc: d\n",
		"only a comment":  "# nothing",
		"a scalar":        "hello",
		"deep schema":     nest,
		"a cyclic schema": `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://shop.example/contracts/events/shop.basket.events/BasketPaid/v1.schema.json","$ref":"#","properties":{"payload":{"$ref":"#/properties/payload"}}}`,
		"a false schema":  `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://shop.example/contracts/events/shop.basket.events/BasketPaid/v1.schema.json","allOf":[false]}`,
	} {
		for _, file := range []string{basketTopic, paidEvent, paidSchema, "services.yaml"} {
			files := shop(t)
			files[file].Data = []byte(text)
			if _, err := contract.Load(files); err == nil {
				t.Errorf("%s as %s was accepted", name, file)
			}
		}
	}
}

func TestLoadRefusesHugeFiles(t *testing.T) {
	t.Parallel()
	files := shop(t)
	files[paidEvent].Data = append(files[paidEvent].Data, strings.Repeat("# padding\n", 500_000)...)
	_, err := contract.Load(files)
	if err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("got %v", err)
	}
}
