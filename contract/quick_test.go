package contract

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"factline.dev/contract/internal/mutate"
	"factline.dev/contract/wire"
)

// benchmarkEvent is an event of 1 KB as the benchmark appends it.
func benchmarkEvent(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/order_captured_1k.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheUsualEventIsAcceptedAtOnce(t *testing.T) {
	t.Parallel()
	for _, e := range platformEvents(t) {
		if e.shape == nil {
			t.Errorf("%s: its schema has no shape", e.Type)
			continue
		}
		examples := e.Examples
		if e.Type == "OrderCaptured" {
			examples = append(examples, Example{Name: "benchmark", Value: benchmarkEvent(t)})
		}
		for _, x := range examples {
			for _, text := range [][]byte{x.Value, compact(x.Value)} {
				if sure, could := compare(t, e.schema, e.shape, text); !sure || !could {
					t.Errorf("%s, %s: accepted %t, valid %t", e.Type, x.Name, sure, could)
				}
			}
		}
	}
}

//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestNothingIsAllocatedForTheUsualEvent(t *testing.T) {
	text := benchmarkEvent(t)
	for _, e := range platformEvents(t) {
		if e.Type != "OrderCaptured" {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { e.shape.accepts(text) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestNoMutationIsAcceptedThatIsNotValid(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(20260702, 1))
	sure, could := 0, 0
	for _, e := range platformEvents(t) {
		for _, x := range e.Examples {
			for range 24 {
				accepted, valid := compare(t, e.schema, e.shape, mutate.Document(random, x.Value))
				sure, could = sure+count(accepted), could+count(valid)
			}
		}
	}
	t.Logf("%d accepted at once of %d valid", sure, could)
	if sure < could/2 || sure == could {
		t.Errorf("%d accepted at once of %d valid: the mutations miss one side", sure, could)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestAShapeIsSureOrAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range shapeCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			schema := mustCompile(t, tt.schema)
			s := shapeOf(schema)
			if s == nil {
				t.Fatal("no shape")
			}
			for _, value := range lines(tt.sure) {
				if sure, _ := compare(t, schema, s, []byte(value)); !sure {
					t.Errorf("%s was not accepted", value)
				}
			}
			for _, value := range lines(tt.unsure) {
				if sure, _ := compare(t, schema, s, []byte(value)); sure {
					t.Errorf("%s was accepted", value)
				}
			}
		})
	}
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestSomeSchemasHaveNoShape(t *testing.T) {
	t.Parallel()
	var properties strings.Builder
	for i := range maxNames + 1 {
		fmt.Fprintf(&properties, `"p%d":{},`, i)
	}
	for name, schema := range map[string]string{
		"not":                       `{"not":{"type":"null"}}`,
		"oneOf of one type":         `{"oneOf":[{"minimum":1},{"maximum":3}]}`,
		"oneOf of number, integer":  `{"oneOf":[{"type":"number"},{"type":"integer"}]}`,
		"if":                        `{"if":{"type":"null"},"else":{"type":"string"}}`,
		"contains":                  `{"contains":{"type":"null"}}`,
		"names with a schema":       `{"propertyNames":{"maxLength":2}}`,
		"unevaluated members":       `{"unevaluatedProperties":false}`,
		"unevaluated elements":      `{"unevaluatedItems":false}`,
		"dependentRequired":         `{"dependentRequired":{"a":["b"]}}`,
		"dependentSchemas":          `{"dependentSchemas":{"a":{"minProperties":2}}}`,
		"dependencies, the old way": `{"dependencies":{"a":["b"]}}`,
		"a dynamic reference":       `{"$dynamicRef":"#a","$defs":{"a":{"$dynamicAnchor":"a","type":"null"}}}`,
		"a loop without a step":     `{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#"}]}}}`,
		"a loop in a choice":        `{"anyOf":[{"type":"null"},{"$ref":"#"}]}`,
		"another draft within":      `{"$defs":{"a":{"$id":"https://factline.test/a","$schema":"http://json-schema.org/draft-07/schema#","type":"null"}},"$ref":"a"}`,
		"somewhere below":           `{"properties":{"a":{"items":{"additionalProperties":{"not":{}}}}}}`,
		"too many names":            `{"properties":{` + strings.TrimSuffix(properties.String(), ",") + `}}`,
		"too many patterns":         `{"patternProperties":{"a":{},"b":{},"c":{},"d":{},"e":{}}}`,
	} {
		if s := shapeOf(mustCompile(t, schema)); s != nil {
			t.Errorf("%s: %s has a shape", name, schema)
		}
	}
}

func TestAShapeIsBounded(t *testing.T) {
	t.Parallel()
	schema := mustCompile(t, `{"anyOf":[{"type":"array","items":{"$ref":"#"},"minItems":9},{"type":"array","items":{"$ref":"#"}}]}`)
	s := shapeOf(schema)
	if s == nil || !s.walk([]byte("[[]]")) {
		t.Fatal("no shape")
	}
	if s.walk([]byte(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))) {
		t.Error("a value that is read two times at each of its levels was read to the end")
	}
	free := shapeOf(mustCompile(t, `true`))
	for name, text := range map[string]string{
		"deep objects":  strings.Repeat(`{"a":`, MaxDepth) + "{}" + strings.Repeat("}", MaxDepth),
		"deep":          strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
		"long":          `"` + strings.Repeat("x", MaxValueBytes) + `"`,
		"many names":    `{` + manyNames(maxStrange+1) + `}`,
		"a long number": strings.Repeat("1", wire.MaxNumberLength+1),
		"an exponent":   "1e1000",
	} {
		if free.walk([]byte(text)) {
			t.Errorf("%s: accepted", name)
		}
	}
	if !free.walk([]byte(`{` + manyNames(maxStrange) + `}`)) {
		t.Error("as many names as may be are too many")
	}
}

// The schemas say that an a stands at the fourteenth place from the end, for
// which the places of a word have to be remembered in 2^14 combinations.
func TestSchemasThatMultiplyHaveNoShape(t *testing.T) {
	t.Parallel()
	const places = 14
	defs := []string{`"s0":{"properties":{"a":{"allOf":[{"$ref":"#/$defs/s0"},{"$ref":"#/$defs/s1"}]},"b":{"$ref":"#/$defs/s0"}}}`}
	for i := 1; i < places; i++ {
		defs = append(defs, fmt.Sprintf(`"s%d":{"additionalProperties":{"$ref":"#/$defs/s%d"}}`, i, i+1))
	}
	defs = append(defs, fmt.Sprintf(`"s%d":{"required":["end"]}`, places))
	if shapeOf(mustCompile(t, `{"$ref":"#/$defs/s0","$defs":{`+strings.Join(defs, ",")+`}}`)) != nil {
		t.Error("it has a shape")
	}
}

func manyNames(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"n%d":0`, i)
	}
	return strings.Join(all, ",")
}

func TestAPanicIsNoYes(t *testing.T) {
	t.Parallel()
	broken := newShape()
	broken.formats = []*wire.Format{{}}
	if broken.accepts([]byte(`"x"`)) {
		t.Error("accepted")
	}
}
