package generate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"factline.dev/contract"
	"factline.dev/contract/generate"
	"factline.dev/contract/internal/mutate"
	"factline.dev/platform/contracts"
)

const basketService = "basket-service"

// shop is a small contracts folder in memory.
func shop(t testing.TB) fstest.MapFS {
	t.Helper()
	root, files := os.DirFS("../lint/testdata/shop"), fstest.MapFS{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := fs.ReadFile(contracts.FS(), "envelope.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.Replace(string(envelope), "https://factline.dev/", "https://shop.example/", 1)
	files["envelope.schema.json"] = &fstest.MapFile{Data: []byte(mine)}
	return files
}

// add gives the shop one more event, of which mail-service reads everything.
func add(files fstest.MapFS, eventType string, payload map[string]any) {
	const from, folder = "events/shop.basket.events/BasketPaid/", "events/shop.basket.events/"
	rename := func(text []byte) []byte { return []byte(strings.ReplaceAll(string(text), "BasketPaid", eventType)) }
	record := rename(files[from+"event.yaml"].Data)
	files[folder+eventType+"/event.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(record), "[basketId, total]", `["*"]`, 1))}
	files[folder+eventType+"/CHANGELOG.md"] = files[from+"CHANGELOG.md"]
	var schema map[string]any
	_ = json.Unmarshal(rename(files[from+"v1.schema.json"].Data), &schema)
	schema["properties"].(map[string]any)["payload"] = payload
	text, _ := json.Marshal(schema)
	files[folder+eventType+"/v1.schema.json"] = &fstest.MapFile{Data: text}
}

func load(t testing.TB, files fs.FS) *contract.Catalogue {
	t.Helper()
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drawn is a random schema together with values that mostly keep it.
type drawn struct {
	schema map[string]any
	value  func() any
}

type drawer struct{ *rand.Rand }

func (d drawer) one(of ...any) any { return of[d.IntN(len(of))] }

func (d drawer) coin(of int) bool { return d.IntN(of) == 0 }

func (d drawer) object(depth int) drawn {
	properties, required := map[string]any{}, []any{}
	values := map[string]func() any{}
	for range 1 + d.IntN(5) {
		name := d.one("a", "b", "orderId", "order_id", "type", "r", "eine Farbe", "x-1", "ÿ", "ids", "").(string)
		field := d.any(depth)
		properties[name], values[name] = field.schema, field.value
		if d.coin(2) {
			required = append(required, name)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties, "required": required}
	if d.coin(6) {
		schema["additionalProperties"] = false
	}
	if d.coin(6) {
		schema["maxProperties"] = 3
	}
	if d.coin(10) {
		schema["required"] = append(required, "undeclared")
	}
	schema["required"] = distinct(schema["required"])
	return drawn{schema, func() any {
		object := map[string]any{}
		for name, value := range values {
			if slices.Contains(required, any(name)) || d.coin(2) {
				object[name] = value()
			}
		}
		if d.coin(8) {
			object["undeclared"] = d.one(1, "x", nil, []any{map[string]any{"a": 1}})
		}
		return object
	}}
}

func distinct(list any) []any {
	seen := map[any]bool{}
	all := []any{}
	names, _ := list.([]any)
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all
}

func (d drawer) any(depth int) drawn {
	n := 9
	if depth == 0 {
		n = 6
	}
	switch d.IntN(n) {
	case 0, 1:
		return d.nullable(d.text())
	case 2:
		return d.nullable(d.number())
	case 3:
		return d.nullable(drawn{map[string]any{"type": "boolean"}, func() any { return d.coin(2) }})
	case 4:
		return drawn{map[string]any{"title": "anything"}, func() any { return d.one(1, "x", nil, []any{}, map[string]any{}) }}
	case 5:
		return d.choice()
	case 6:
		return d.nullable(d.object(depth - 1))
	case 7:
		return d.nullable(d.list(depth - 1))
	}
	value := d.any(depth - 1)
	schema := map[string]any{"type": "object", "additionalProperties": value.schema, "maxProperties": 3}
	return d.nullable(drawn{schema, func() any {
		object := map[string]any{}
		for i := range d.IntN(4) {
			object[fmt.Sprint(i)] = value.value()
		}
		return object
	}})
}

// nullable allows null too, sometimes.
func (d drawer) nullable(of drawn) drawn {
	kind, ok := of.schema["type"].(string)
	if !ok || !d.coin(5) {
		return of
	}
	schema := maps.Clone(of.schema)
	schema["type"] = []any{kind, "null"}
	return drawn{schema, func() any {
		if d.coin(3) {
			return nil
		}
		return of.value()
	}}
}

func (d drawer) text() drawn {
	s := map[string]any{"type": "string"}
	values := []any{"", "a", "AB", "abc", "ä€", "12.50", "2024-02-29", "2024-02-29T10:00:00.5Z", "2016-12-31T23:59:60Z", "2024-01-01t00:00:00+01:00", "a\"\\\n"}
	if d.coin(4) {
		s["minLength"] = d.IntN(3)
	}
	if d.coin(4) {
		s["maxLength"] = d.IntN(4)
	}
	if d.coin(4) {
		s["pattern"] = d.one("^[A-Z]+$", "^-?[0-9]+\\.[0-9]{2,6}$", "a`|\"", "^.{1,3}$")
	}
	if d.coin(4) {
		s["format"] = d.one("date", "date-time", "uuid", "ipv4", "email")
	}
	return drawn{s, func() any { return d.one(values...) }}
}

func (d drawer) number() drawn {
	s := map[string]any{"type": d.one("integer", "integer", "number")}
	if d.coin(3) {
		s[d.one("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum").(string)] = d.one(0, 1, -1, 2, json.RawMessage("1e2"), 0.5)
	}
	if d.coin(6) {
		s["multipleOf"] = d.one(2, 0.5)
	}
	return drawn{s, func() any {
		return d.one(0, 1, 2, -1, 100, json.RawMessage("1.0"), json.RawMessage("1e2"), json.RawMessage("-0"), 0.5, json.RawMessage("9223372036854775808"))
	}}
}

func (d drawer) choice() drawn {
	values := []any{d.one("A", "DIRECT_SALES", "a-b", "", "1"), d.one("B", "direct sales", "ä"), d.one("C", nil, 1)}
	s := map[string]any{"enum": values}
	switch d.IntN(3) {
	case 0:
		s = map[string]any{"const": values[0]}
		values = values[:1]
	case 1:
		s["type"] = "string"
	}
	return drawn{s, func() any { return d.one(values...) }}
}

func (d drawer) list(depth int) drawn {
	element := d.any(depth)
	s := map[string]any{"type": "array", "items": element.schema}
	if d.coin(4) {
		s["minItems"] = d.IntN(3)
	}
	if d.coin(4) {
		s["maxItems"] = d.IntN(3)
	}
	if d.coin(4) {
		s["uniqueItems"] = true
	}
	return drawn{s, func() any {
		list := []any{}
		for range d.IntN(4) {
			list = append(list, element.value())
		}
		return list
	}}
}

// record is an event of the shop with this payload.
func record(eventType string, payload any) []byte {
	text, _ := json.Marshal(map[string]any{
		"eventId": "evt_1", "eventType": eventType, "eventVersion": 1, "occurredAt": "2026-07-02T08:15:30.481Z", "producer": basketService,
		"tenantId": "tenant_001", "aggregateType": "Basket", "aggregateId": "b_1", "payload": payload,
	})
	return text
}

// TestRandomSchemas compiles the code of random schemas. Those that no Go type can
// say are told by an error and left out.
func TestRandomSchemas(t *testing.T) {
	t.Parallel()
	const schemas = 80
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any bits do
	d := drawer{rand.New(rand.NewPCG(seed, 0))}
	files, values, refused := shop(t), map[string]func() any{}, 0
	for i := range schemas {
		eventType := fmt.Sprintf("Thing%dHappened", i)
		payload := d.object(3)
		payload.schema["properties"].(map[string]any)["basketId"] = map[string]any{"type": "string"}
		payload.schema["required"] = append(payload.schema["required"].([]any), "basketId")
		inside := payload.value
		trial := shop(t)
		add(trial, eventType, payload.schema)
		var inexpressible *generate.InexpressibleError
		if _, err := generate.Go(load(t, trial), generate.Config{Service: basketService}); errors.As(err, &inexpressible) {
			refused++
			continue
		}
		add(files, eventType, payload.schema)
		values[eventType] = func() any {
			object := inside().(map[string]any)
			object["basketId"] = "b_1"
			return object
		}
	}
	c := load(t, files)
	p := start(t, c, generate.Config{Service: basketService}, generate.Config{Service: "mail-service"})
	n := &tally{}
	for _, eventType := range slices.Sorted(maps.Keys(values)) {
		e, _ := c.Event(eventType, 1)
		for range 40 {
			text := record(eventType, values[eventType]())
			n.judge(t, c, p, basketService, e, text)
			n.judge(t, c, p, basketService, e, mutate.Document(d.Rand, text))
			n.judge(t, c, p, "mail-service", e, mutate.Document(d.Rand, text))
		}
		if t.Failed() {
			schema, _ := c.Schema(e.SchemaRef())
			t.Fatalf("seed %d, schema %s", seed, schema)
		}
	}
	t.Logf("seed %d, %d of %d schemas refused, %+v", seed, refused, schemas, *n)
	if refused > schemas/2 || n.valid < 1000 || n.invalid < 1000 {
		t.Errorf("%+v: too little was compared", *n)
	}
}
