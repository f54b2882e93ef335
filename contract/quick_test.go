package contract

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
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

func TestNothingIsAllocatedForTheUsualEvent(t *testing.T) {
	text := benchmarkEvent(t) //nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
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
			for range 250 {
				accepted, valid := compare(t, e.schema, e.shape, mutate(random, x.Value))
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
	for _, tt := range []struct {
		name, schema, sure, unsure string // values, one to a line
	}{
		{"types", `{"type":["integer","null"]}`, "1\n-0\n1.0\n1e2\n100e-2\nnull", "1.5\n1e-1\n\"1\"\n[]\ntrue"},
		{"number includes integer", `{"type":"number"}`, "1\n1.5\n1e9", "null"},
		{"numbers as text say nothing", `{"minimum":3,"type":["number","string"]}`, "\"1\"\n3", "2"},
		{"limits", `{"minimum":1,"exclusiveMaximum":3}`, "1\n2.999\n1e0\n\"x\"", "0.999\n3\n3.0\n1e999"},
		{"limits beyond int64", `{"maximum":9223372036854775808}`, "9223372036854775807\n9223372036854775808\n-1", "9223372036854775809"},
		{"multiples", `{"multipleOf":0.1}`, "0.3\n1\n-0.7\n0", "0.35"},
		{"whole multiples", `{"multipleOf":3}`, "9\n-9\n0\n9.0", "10\n1e1"},
		{"const is compared by value", `{"const":1}`, "1\n1.0\n1e0", "2\n\"1\"\ntrue"},
		{"text is compared unescaped", `{"const":"A\u00e4"}`, "\"Aä\"\n\"\\u0041\\u00E4\"", "\"A\"\n\"\\\\u0041ä\""},
		{"enum of all scalars", `{"enum":[null,true,"x",2]}`, "null\ntrue\n\"x\"\n2.0", "false\n\"y\"\n3\n{}\n[]"},
		{"const of an object asks", `{"const":{"a":1}}`, "", "{\"a\":1}\n1"},
		{"null is a const", `{"const":null}`, "null", "1\nfalse"},
		{"length in code points", `{"minLength":2,"maxLength":2}`, "\"ää\"\n\"\\ud83d\\ude00x\"\n\"\\ud83d\\ud83d\"\n1", "\"ä\"\n\"äää\"\n\"😀\""},
		{"pattern of runs", `{"pattern":"^-?[0-9]+\\.[0-9]{2}$"}`, "\"1.25\"\n\"-12.00\"\n\"\\u0031.25\"", "\"1.2\"\n\"1.25\\n\"\n\"\""},
		{"pattern where greed fails", `{"pattern":"^[ab]*b$"}`, "\"aab\"\n\"b\"", "\"aba\""},
		{"pattern of another form", `{"pattern":"b|c"}`, "\"abc\"", "\"a\""},
		{"pattern beyond ASCII", `{"pattern":"^[a-ü]$"}`, "\"ä\"\n\"b\"", "\"ż\""},
		{"pattern without case", `{"pattern":"^(?i)k$"}`, "\"k\"\n\"K\"\n\"\u212a\"", "\"x\""},
		{"date", `{"format":"date"}`, "\"2024-02-29\"\n\"0000-02-29\"\n1", "\"2023-02-29\"\n\"2024-2-29\"\n\"2024-02-29 \""},
		{"date-time", `{"format":"date-time"}`, "\"2024-02-29T12:00:00.123Z\"\n\"2024-02-29t12:00:00+01:00\"\n\"2016-12-31T23:59:60Z\"", "\"2024-02-29T12:00:00\"\n\"2024-02-29T12:00:00.Z\"\n\"2024-02-29T25:00:00Z\""},
		{"another format", `{"format":"uuid"}`, "\"01234567-89ab-cdef-0123-456789abcdef\"", "\"x\""},
		{"a format nobody knows", `{"format":"colour"}`, "\"x\"", ""},
		{"required and properties", `{"required":["a","b"],"properties":{"a":{"type":"string"}}}`, `{"a":"x","b":1}`, "{\"a\":\"x\"}\n{\"b\":1}\n{\"a\":1,\"b\":1}"},
		{"a name twice", `{"properties":{"a":{}}}`, `{"a":1,"b":1}`, "{\"a\":1,\"a\":1}\n{\"b\":1,\"b\":1}\n{\"a\":1,\"\\u0061\":1}\n{\"c\":{\"b\":1,\"b\":1}}"},
		{"the same name in another object", `{}`, `{"b":{"b":[{"b":1},{"b":1}]}}`, ""},
		{"a name with an escape asks", `{}`, "", `{"\u0061":1}`},
		{"no other properties", `{"properties":{"a":{}},"additionalProperties":false}`, "{\"a\":1}\n{}", `{"a":1,"b":1}`},
		{"other properties have a schema", `{"properties":{"a":{}},"additionalProperties":{"type":"string"}}`, `{"a":1,"b":"x"}`, `{"b":1}`},
		{"names by pattern", `{"properties":{"ab":{"minimum":2}},"patternProperties":{"^a":{"type":"integer"},"b$":{"maximum":5}},"additionalProperties":false}`, "{\"ab\":2,\"ac\":9,\"cb\":1.5}", "{\"ab\":1}\n{\"axb\":6}\n{\"axb\":1.5}\n{\"c\":1}"},
		{"additional looks at its own schema alone", `{"properties":{"a":{}},"allOf":[{"additionalProperties":false}]}`, `{}`, `{"a":1}`},
		{"counts of members", `{"minProperties":1,"maxProperties":2}`, "{\"a\":1}\n{\"a\":1,\"b\":2}", "{}\n{\"a\":1,\"b\":2,\"c\":3}"},
		{"elements", `{"prefixItems":[{"type":"string"},{}],"items":{"type":"integer"},"maxItems":4}`, "[]\n[\"x\"]\n[\"x\",null,1,2]", "[1]\n[\"x\",1,\"y\"]\n[\"x\",1,1,1,1]"},
		{"no further elements", `{"prefixItems":[{}],"items":false,"minItems":1}`, "[1]", "[]\n[1,2]"},
		{"unique texts", `{"uniqueItems":true}`, "[\"a\",\"b\"]\n[]", "[\"a\",\"a\"]\n[\"a\",\"\\u0061\"]\n[1,1.0]\n[1,2]"},
		{"references", `{"$ref":"#/$defs/a","minimum":3,"$defs":{"a":{"type":"integer","maximum":5}}}`, "3\n5", "2\n6\n3.5"},
		{"a schema that holds itself", `{"properties":{"next":{"$ref":"#"}},"required":["id"]}`, `{"id":1,"next":{"id":2,"next":{"id":3}}}`, `{"id":1,"next":{"id":2,"next":{}}}`},
		{"allOf", `{"allOf":[{"type":"object","properties":{"a":{"minimum":2}}},{"properties":{"a":{"maximum":3}}}]}`, `{"a":2}`, "{\"a\":1}\n{\"a\":4}\n1"},
		{"anyOf", `{"anyOf":[{"type":"null"},{"type":"object","required":["a"],"properties":{"a":{"const":1}}},{"type":"object","required":["b"]}]}`, "null\n{\"a\":1}\n{\"a\":2,\"b\":1}", "{}\n1\n{\"a\":2}"},
		{"oneOf of other types", `{"oneOf":[{"type":"null"},{"type":["string","array"],"maxLength":1}]}`, "null\n\"x\"\n[]", "1\n\"xx\""},
		{"a boolean schema", `{"properties":{"a":true,"b":false}}`, `{"a":1}`, `{"b":1}`},
		{"what only annotates", `{"title":"x","description":"x","default":1,"examples":[1],"$comment":"x","deprecated":true,"readOnly":true,"x-pii":true,"contentEncoding":"base64"}`, "1\n\"%\"", ""},
	} {
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
		"another draft within":      `{"$defs":{"a":{"$id":"https://factline.test/a","$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"null"}]}},"$ref":"a"}`,
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
		"deep":          strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
		"long":          `"` + strings.Repeat("x", MaxValueBytes) + `"`,
		"many names":    `{` + manyNames(maxStrange+1) + `}`,
		"a long number": strings.Repeat("1", maxNumberLength+1),
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
	broken.formats = []*format{{}}
	if broken.accepts([]byte(`"x"`)) {
		t.Error("accepted")
	}
}
