package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestWhatIsNoSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON":                      `{"type":`,
		"two values":                   `{} {}`,
		"nothing":                      ``,
		"not UTF-8":                    "\"\xff\"",
		"too deep":                     strings.Repeat(`{"not":`, MaxSchemaDepth) + "{}" + strings.Repeat("}", MaxSchemaDepth),
		"too long":                     `{"title":"` + strings.Repeat("x", MaxSchemaBytes) + `"}`,
		"too many objects":             `{"allOf":[` + strings.Repeat("{},", MaxSchemaObjects) + `{}]}`,
		"a huge exponent":              `{"minimum":1e999999}`,
		"an exponent beyond an int":    `{"minimum":1e99999999999999999999}`,
		"a huge fraction":              `{"multipleOf":1e-999999}`,
		"a count that overflows":       `{"minLength":100000000000000000000}`,
		"an invalid pattern":           `{"pattern":"("}`,
		"a pattern that RE2 lacks":     `{"pattern":"(?=a)"}`,
		"an invalid name pattern":      `{"patternProperties":{"[":{}}}`,
		"a keyword with another type":  `{"minimum":"1"}`,
		"a reference to the network":   `{"$ref":"https://example.com/other.json"}`,
		"a reference to a file":        `{"$ref":"file:///etc/passwd"}`,
		"a reference out of the file":  `{"$ref":"other.json"}`,
		"a reference to nothing":       `{"$ref":"#/$defs/a"}`,
		"a dialect nobody knows":       `{"$schema":"https://example.com/dialect"}`,
		"an identifier that is no URL": `{"$id":"https://%zz/"}`,
	} {
		if _, err := Parse("test", []byte(text)); err == nil {
			t.Errorf("%s: it was read", name)
		} else if !strings.HasPrefix(err.Error(), "compat: read schema test: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestReferencesStayInTheFolder(t *testing.T) {
	t.Parallel()
	folder := fstest.MapFS{
		"events/a.json": {Data: []byte(`{"$id":"https://example.com/contracts/events/a.json","$ref":"../types.json#/$defs/t"}`)},
		"events/b.json": {Data: []byte(`{"$ref":"../types.json#/$defs/t"}`)},
		"events/c.json": {Data: []byte(`{"$ref":"../missing.json"}`)},
		"types.json":    {Data: []byte(`{"$defs":{"t":{"type":"string"}}}`)},
	}
	a, err := Load(folder, "events/a.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(folder, "events/b.json")
	if err != nil {
		t.Fatal(err)
	}
	if r := Compare(t.Context(), a, b, Options{Direction: Full}); r.Verdict != Compatible {
		t.Errorf("%+v", r)
	}
	r := Compare(t.Context(), a, mustParse(t, `{"type":"null"}`), Options{Direction: Full})
	if len(r.Findings) != 2 || r.Findings[0].OldPath != "types.json#/$defs/t/type" && r.Findings[0].OldPath != "https://example.com/contracts/types.json#/$defs/t/type" {
		t.Errorf("%+v", r)
	}
	for _, file := range []string{"events/c.json", "events/missing.json"} {
		if _, err := Load(folder, file); err == nil {
			t.Errorf("%s was read", file)
		}
	}
}

// A long value was left out, and then two of them were told apart by nothing.
func TestALongValueIsNamedByItsDigest(t *testing.T) {
	t.Parallel()
	long := func(word string) *Schema {
		return mustParse(t, `{"not":{"enum":["`+strings.Repeat(word, maxShownBytes)+`"]}}`)
	}
	r := Compare(t.Context(), long("a"), long("b"), Options{})
	if len(r.Findings) != 1 {
		t.Fatalf("%+v", r)
	}
	for _, value := range []json.RawMessage{r.Findings[0].Old, r.Findings[0].New} {
		var text string
		if err := json.Unmarshal(value, &text); err != nil || !strings.HasPrefix(text, "sha256:") || len(text) != len("sha256:")+64 {
			t.Errorf("%s: %v", value, err)
		}
	}
	if string(r.Findings[0].Old) == string(r.Findings[0].New) {
		t.Errorf("both are %s", r.Findings[0].Old)
	}
}

// hostilePairs are built to make a comparison expensive. Each side is given.
func hostilePairs() map[string][2]string {
	nested := func(open, core, closing string, n int) string {
		return strings.Repeat(open, n) + core + strings.Repeat(closing, n)
	}
	var forms, loops, exponential, values, wide []string
	for i := range 40 {
		forms = append(forms, fmt.Sprintf(`{"oneOf":[{"properties":{"a%d":{"type":"string"}}},{"required":["b%d"]},{"minProperties":%d}]}`, i, i, i))
		loops = append(loops, fmt.Sprintf(`"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"properties":{"x":{"$ref":"#/$defs/d%d"}}}]}`, i, (i+1)%40, (i*7+1)%40))
		exponential = append(exponential, fmt.Sprintf(`"e%d":{"oneOf":[{"items":{"$ref":"#/$defs/e%d"}},{"contains":{"$ref":"#/$defs/e%d"}},{"not":{"$ref":"#/$defs/e%d"}}]}`, i, i+1, i+1, i+1))
		wide = append(wide, fmt.Sprintf(`{"patternProperties":{"%c+%d":{"type":"string"}}}`, 'a'+i%26, i))
	}
	for i := range 20_000 {
		values = append(values, fmt.Sprintf(`"v%d"`, i))
	}
	all := func(parts []string, rest string) string {
		return `{"allOf":[` + strings.Join(parts, ",") + `]` + rest + `}`
	}
	return map[string][2]string{
		"deep nesting":        {nested(`{"properties":{"a":`, `{"type":"string"}`, `}}`, 60), nested(`{"properties":{"a":`, `{"type":"integer"}`, `}}`, 60)},
		"deep not":            {nested(`{"not":`, `{"type":"string"}`, `}`, 101), nested(`{"not":`, `{"type":"string"}`, `}`, 100)},
		"exponential oneOf":   {all(forms, ""), all(forms, `,"maxProperties":100`)},
		"loops of references": {`{"$ref":"#/$defs/d0","$defs":{` + strings.Join(loops, ",") + `}}`, `{"$ref":"#/$defs/d1","$defs":{` + strings.Join(loops, ",") + `}}`},
		"exponential arrays":  {`{"$ref":"#/$defs/e0","$defs":{` + strings.Join(exponential, ",") + `,"e40":{"type":"string"}}}`, `{"$ref":"#/$defs/e1","$defs":{` + strings.Join(exponential, ",") + `,"e40":{"type":"null"}}}`},
		"many name patterns":  {all(wide, ""), all(wide, `,"additionalProperties":{"type":"null"}`)},
		"a gigantic enum":     {`{"enum":[` + strings.Join(values, ",") + `]}`, `{"enum":[` + strings.Join(values[1:], ",") + `]}`},
		"not in an enum":      {`{"type":"string","not":{"enum":[` + strings.Join(values, ",") + `]}}`, `{"enum":[` + strings.Join(values, ",") + `]}`},
		"large counts":        {`{"type":"array","minItems":1000000000,"uniqueItems":true,"contains":{"type":"null"},"minContains":1000000}`, `{"maxItems":1000000001}`},
		"a pattern that doubles": {
			`{"type":"string","pattern":"^(a|b)*a(a|b){20}$"}`, `{"type":"string","pattern":"^(a|b)*b(a|b){20}$"}`,
		},
		"repetitions of repetitions": {`{"pattern":"^((a{1,30}){1,30})$"}`, `{"pattern":"^((a{1,31}){1,30})$"}`},
		"numbers of 400 digits":      {`{"multipleOf":1e-399,"minimum":1e399}`, `{"multipleOf":3e-399}`},
		"every value different":      {`{"type":"array","uniqueItems":true,"minItems":40,"items":{"maximum":1000,"minimum":0,"multipleOf":0.5}}`, `{"maxItems":40}`},
		"a loop without a step":      {`{"$ref":"#"}`, `{"type":"string"}`},
	}
}

// The time is not asserted, on a busy machine it says little; the budget is,
// and that nothing hangs.
func TestHostileSchemasEndWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, pair := range hostilePairs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, next := mustParse(t, pair[0]), mustParse(t, pair[1])
			const steps = 100_000
			started := time.Now()
			r := Compare(t.Context(), old, next, Options{Direction: Full, MaxSteps: steps})
			t.Logf("%s after %d steps in %s: %s", r.Verdict, r.Steps, time.Since(started).Round(time.Millisecond), r.Reason)
			if r.Steps > 2*(steps+steps/10) {
				t.Errorf("it took %d steps", r.Steps)
			}
			if r.Verdict == Unknown && r.Reason == "" {
				t.Error("it is unknown without a reason")
			}
		})
	}
}

func TestACancelledComparisonIsUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pair := hostilePairs()["exponential oneOf"]
	if r := Compare(ctx, mustParse(t, pair[0]), mustParse(t, pair[1]), Options{}); r.Verdict != Unknown {
		t.Errorf("%+v", r)
	}
}

func FuzzParseAndCompare(f *testing.F) {
	for _, pair := range hostilePairs() {
		if len(pair[0])+len(pair[1]) < 4096 {
			f.Add(pair[0], pair[1])
		}
	}
	f.Add(`{"type":"string","pattern":"^a"}`, `{"type":"string","pattern":"^[ab]"}`)
	f.Add(`{"$dynamicAnchor":"n","items":{"$dynamicRef":"#n"}}`, `{"unevaluatedProperties":false,"$ref":"#/$defs/a","$defs":{"a":{"contains":{"const":1}}}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		old, err := Parse("old", []byte(a))
		if err != nil {
			return
		}
		next, err := Parse("next", []byte(b))
		if err != nil {
			return
		}
		r := Compare(t.Context(), old, next, Options{MaxSteps: 20_000})
		if r.Verdict == Breaking && !isWitness(old, next, r.Witness) {
			t.Errorf("%s is no witness", r.Witness)
		}
	})
}

// More values are listed than the engine keeps apart, so that it takes one of
// them for a document that is refused.
func TestWhatTheValidatorDoesNotConfirmIsNoWitness(t *testing.T) {
	t.Parallel()
	values := make([]string, maxDifferent+100)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	old := mustParse(t, fmt.Sprintf(`{"type":"integer","minimum":0,"maximum":%d}`, len(values)-1))
	next := mustParse(t, `{"enum":[`+strings.Join(values, ",")+`]}`)
	if r := Compare(t.Context(), old, next, Options{}); r.Verdict != Unknown || !strings.Contains(r.Reason, "did not confirm") {
		t.Errorf("%+v", r)
	}
}
