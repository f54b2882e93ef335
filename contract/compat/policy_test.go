package compat

import (
	"fmt"
	"testing"
)

// An object that declares a and, in one of the two versions, b.
func objectOf(b, required, closed string) string {
	return fmt.Sprintf(`{"type":"object","properties":{"a":{"type":"string"}%s},"required":["a"%s]%s}`, b, required, closed)
}

// TestStrictAndEvolvable goes through every way to add or remove a property.
func TestStrictAndEvolvable(t *testing.T) {
	t.Parallel()
	const property, withDefault = `,"b":{"type":"string"}`, `,"b":{"type":"string","default":"x"}`
	const closed, open = `,"additionalProperties":false`, ""
	for _, tt := range []struct {
		name               string
		property, required string
		model              string
		removed            bool
		strict, evolvable  Verdict
	}{
		{"add an optional one to an open object", property, "", open, false, Breaking, Compatible},
		{"add an optional one to a closed object", property, "", closed, false, Compatible, Compatible},
		{"add a required one with a default to an open object", withDefault, `,"b"`, open, false, Breaking, Compatible},
		{"add a required one with a default to a closed object", withDefault, `,"b"`, closed, false, Compatible, Compatible},
		{"add a required one to an open object", property, `,"b"`, open, false, Breaking, Breaking},
		{"add a required one to a closed object", property, `,"b"`, closed, false, Breaking, Breaking},
		{"remove an optional one from an open object", property, "", open, true, Compatible, Compatible},
		{"remove an optional one from a closed object", property, "", closed, true, Breaking, Compatible},
		{"remove a required one with a default from an open object", withDefault, `,"b"`, open, true, Compatible, Compatible},
		{"remove a required one with a default from a closed object", withDefault, `,"b"`, closed, true, Breaking, Compatible},
		{"remove a required one from an open object", property, `,"b"`, open, true, Compatible, Compatible},
		{"remove a required one from a closed object", property, `,"b"`, closed, true, Breaking, Compatible},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			old, next := mustParse(t, objectOf("", "", tt.model)), mustParse(t, objectOf(tt.property, tt.required, tt.model))
			if tt.removed {
				old, next = next, old
			}
			for evolvable, want := range map[bool]Verdict{false: tt.strict, true: tt.evolvable} {
				r := Compare(t.Context(), old, next, Options{Evolvable: evolvable, AppliesDefaults: true})
				if r.Verdict != want {
					t.Errorf("evolvable %t: %s, want %s: %v", evolvable, r.Verdict, want, r.Findings)
				}
				if r.Verdict == Breaking && !isWitness(old, next, r.Witness) {
					t.Errorf("evolvable %t: %s is no witness", evolvable, r.Witness)
				}
			}
		})
	}
}

// A validating reader refuses what it would have filled in.
func TestADefaultHelpsOnlyReadersThatApplyIt(t *testing.T) {
	t.Parallel()
	old := mustParse(t, objectOf("", "", `,"additionalProperties":false`))
	next := mustParse(t, objectOf(`,"b":{"default":1}`, `,"b"`, ""))
	if r := Compare(t.Context(), old, next, Options{}); r.Verdict != Breaking || string(r.Witness) != `{"a":""}` {
		t.Errorf("%s with %s, want breaking with an object without b", r.Verdict, r.Witness)
	}
	if r := Compare(t.Context(), old, next, Options{AppliesDefaults: true}); r.Verdict != Compatible {
		t.Errorf("%s for a reader that applies defaults", r.Verdict)
	}
}

func TestEvolvableStillLooksInsideWhatIsDeclared(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, old, next string
		want            Verdict
	}{
		{"a declared property that narrows", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"integer"}}}`, Breaking},
		{"a property inside an element", `{"items":{"properties":{"a":{}}}}`, `{"items":{"properties":{"a":{},"b":{"type":"string"}}}}`, Compatible},
		{"a property that another part declares", `{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}`, `{"properties":{"b":{"type":"string"}}}`, Breaking},
		{"a map declares nothing", `{"additionalProperties":{"type":"number"}}`, `{"additionalProperties":{"type":"integer"}}`, Breaking},
		{"additionalProperties narrow beside declared ones", `{"properties":{"a":{}}}`, `{"properties":{"a":{}},"additionalProperties":{"type":"string"}}`, Compatible},
		{"a schema that holds itself", `{"properties":{"a":{"$ref":"#"}}}`, `{"properties":{"a":{"$ref":"#"},"b":{"type":"string"}}}`, Compatible},
	} {
		if r := Compare(t.Context(), mustParse(t, tt.old), mustParse(t, tt.next), Options{Evolvable: true}); r.Verdict != tt.want {
			t.Errorf("%s: %s, want %s: %v", tt.name, r.Verdict, tt.want, r.Findings)
		}
	}
}

func TestFormatsCanBeIgnored(t *testing.T) {
	t.Parallel()
	old, next := mustParse(t, `{"type":"string"}`), mustParse(t, `{"type":"string","format":"date"}`)
	if r := Compare(t.Context(), old, next, Options{IgnoreFormats: true}); r.Verdict != Compatible {
		t.Errorf("%s, though no reader checks formats", r.Verdict)
	}
}

func TestCompareAllLooksAtEveryVersion(t *testing.T) {
	t.Parallel()
	versions := []*Schema{mustParse(t, `{"type":["string","null"]}`), mustParse(t, `{"type":"string"}`)}
	results := CompareAll(t.Context(), versions, mustParse(t, `{"type":"string"}`), Options{})
	if len(results) != 2 || results[0].Verdict != Breaking || results[1].Verdict != Compatible {
		t.Errorf("%v, want breaking against the first version only", results)
	}
}

func TestFullIsBothDirections(t *testing.T) {
	t.Parallel()
	r := Compare(t.Context(), mustParse(t, `{"minimum":1}`), mustParse(t, `{"maximum":2}`), Options{Direction: Full})
	if len(r.Findings) != 2 || r.Findings[0].Direction != Backward || r.Findings[1].Direction != Forward || r.Verdict != Breaking {
		t.Errorf("%+v", r)
	}
}

// What a schema says of all other members is no less declared than a name.
func TestTypedOthersAreHeldToTheirType(t *testing.T) {
	t.Parallel()
	const named = `{"type":"object","properties":{"a":{"type":"string"}},%s}`
	for _, tt := range []struct {
		name, old, next string
		want            Verdict
	}{
		{"their type changes", `"additionalProperties":{"type":"string"}`, `"additionalProperties":{"type":"integer"}`, Breaking},
		{"their type changes, unevaluated", `"unevaluatedProperties":{"type":"string"}`, `"unevaluatedProperties":{"type":"integer"}`, Breaking},
		{"a member comes to be required", `"additionalProperties":{"type":"string"}`, `"additionalProperties":{"type":"string"},"required":["b"]`, Breaking},
		{"they may be anything in other words", `"additionalProperties":{}`, `"additionalProperties":{"title":"others"}`, Compatible},
		{"closed opens", `"additionalProperties":false`, `"additionalProperties":true`, Compatible},
	} {
		old, next := mustParse(t, fmt.Sprintf(named, tt.old)), mustParse(t, fmt.Sprintf(named, tt.next))
		if r := Compare(t.Context(), old, next, Options{Direction: Full, Evolvable: true}); r.Verdict != tt.want {
			t.Errorf("%s: %s, want %s: %v", tt.name, r.Verdict, tt.want, r.Findings)
		}
	}
}
