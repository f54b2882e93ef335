package contracts_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"factline.dev/contract"
)

// The reference is the schema that the order event was agreed on with its
// first readers. Ours is built from shared parts; for every field that the
// reference knows, and for fields that neither knows, both must accept the same
// documents. Fields that were added since (lineCount, publishedAt, ...) are
// typed in ours and unknown to the reference, so they are left out here.
func TestOrderCapturedAcceptsWhatItsReferenceAccepts(t *testing.T) {
	t.Parallel()
	c, reference := load(t), referenceSchema(t)
	accepted, refused := 0, 0
	for _, start := range starts(t, c) {
		for _, m := range mutationsOf(start) {
			doc := decode(t, encode(t, start))
			m.apply(doc)
			if compare(t, c, reference, doc) {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted < 100 || refused < 500 {
		t.Errorf("%d accepted and %d refused: the mutations do not test both sides", accepted, refused)
	}
}

func TestOrderCapturedAgreesUnderSeveralMutations(t *testing.T) {
	t.Parallel()
	c, reference := load(t), referenceSchema(t)
	origins := starts(t, c)
	rapid.Check(t, func(r *rapid.T) {
		doc := decode(t, encode(t, rapid.SampledFrom(origins).Draw(r, "start")))
		for range rapid.IntRange(1, 4).Draw(r, "mutations") {
			rapid.SampledFrom(mutationsOf(doc)).Draw(r, "mutation").apply(doc)
		}
		compare(t, c, reference, doc)
	})
}

// compare reports whether both accept, and fails when they disagree.
func compare(t *testing.T, c *contract.Catalogue, reference *jsonschema.Schema, doc map[string]any) bool {
	t.Helper()
	value := encode(t, doc)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	want, got := reference.Validate(parsed), c.Validate("OrderCaptured", 1, value)
	if (want == nil) != (got == nil) {
		t.Errorf("reference says %v, ours says %v, for\n%s", want, got, value)
	}
	return want == nil
}

func referenceSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/order_captured_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("reference:", decode(t, text)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("reference:")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// starts are the examples, cut down to the fields that the reference knows.
func starts(t *testing.T, c *contract.Catalogue) []map[string]any {
	t.Helper()
	e, ok := c.Event("OrderCaptured", 1)
	if !ok {
		t.Fatal("no OrderCaptured")
	}
	var all []map[string]any
	for _, x := range e.Examples {
		doc := decode(t, x.Value)
		for _, added := range []string{"publishedAt", "traceId", "schemaRef", "metadata"} {
			delete(doc, added)
		}
		payload := doc["payload"].(map[string]any)
		for _, added := range []string{"lineCount", "salesChannel", "acceptedEvidenceRef", "quoteRevision", "requestedCompletionDate"} {
			delete(payload, added)
		}
		totals := payload["totals"].(map[string]any)
		for _, added := range []string{"listOneTimeTotal", "listRecurringTotal", "discountPercent"} {
			delete(totals, added)
		}
		all = append(all, doc)
	}
	return all
}

// mutation changes one place of a document.
type mutation struct {
	path  []any
	value any
	drop  bool
}

func replacements() []any {
	return []any{
		nil, true, false, "", "x", "EUR", "EURO", "€€€", "OrderCaptured", "OrderCompleted", "order-service", "Order",
		"ADD", "add", "12.00", "12", "-1.000000", "1.0000000", "2026-07-02", "2026-07-02T08:15:30Z", "2026-13-02T08:15:30Z",
		json.Number("0"), json.Number("1"), json.Number("1.0"), json.Number("1.5"), json.Number("-3"), json.Number("1e3"),
		[]any{},
		[]any{"x"},
		[]any{map[string]any{}},
		map[string]any{},
		map[string]any{"a": "b"},
	}
}

func mutationsOf(doc map[string]any) []mutation {
	var all []mutation
	each(doc, nil, func(path []any, value any) {
		for _, r := range replacements() {
			all = append(all, mutation{path: path, value: r})
		}
		if len(path) > 0 {
			all = append(all, mutation{path: path, drop: true})
		}
		if _, ok := value.(map[string]any); ok {
			all = append(all, mutation{path: append(slices.Clone(path), "neverHeardOf"), value: "x"})
		}
	})
	return all
}

func each(value any, path []any, visit func([]any, any)) {
	if len(path) > 0 {
		visit(slices.Clone(path), value)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			each(v[name], append(path, name), visit)
		}
	case []any:
		for i := range v {
			each(v[i], append(path, i), visit)
		}
	}
}

func (m mutation) apply(doc map[string]any) {
	var at any = doc
	for _, step := range m.path[:len(m.path)-1] {
		switch v := at.(type) {
		case map[string]any:
			name, _ := step.(string)
			at = v[name]
		case []any:
			at = v[step.(int)]
		}
	}
	last := m.path[len(m.path)-1]
	switch v := at.(type) {
	case map[string]any:
		name, _ := last.(string)
		if m.drop {
			delete(v, name)
		} else {
			v[name] = m.value
		}
	case []any:
		if i, ok := last.(int); ok && !m.drop && i < len(v) {
			v[i] = m.value
		}
	}
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func encode(t *testing.T, doc any) []byte {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
