package contract_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"factline.dev/contract"
)

// fieldsOf are the places of a payload with these properties, as lines.
func fieldsOf(t *testing.T, properties string) []string {
	t.Helper()
	files := shop(t)
	replace(t, files, paidSchema, `"contactName": {`, properties+`, "contactName": {`)
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Event("BasketPaid", 1)
	var lines []string
	for _, f := range e.Places() {
		if !strings.HasPrefix(f.Path, "x") {
			continue
		}
		line := fmt.Sprintf("%s %s", f.Path, f.Type)
		for _, word := range []struct {
			is   bool
			text string
		}{{f.Required, "required"}, {f.Alternative, "alternative"}, {f.PII, "personal"}, {f.Enum != nil, strings.Join(f.Enum, "|")}, {len(f.Forms()) > 1, fmt.Sprintf("%d forms", len(f.Forms()))}} {
			if word.is {
				line += ", " + word.text
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestFieldsAreFoundWhereverASchemaKeepsThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, properties string
		want             []string
	}{
		{
			"the values of a map", `"x": {"type": "object", "additionalProperties": {"type": "object", "required": ["a"], "properties": {"a": {"enum": ["A", "B"]}}}}`,
			[]string{"x map", "x.* object", "x.*.a string, required, A|B"},
		},
		{
			"the values of a map by pattern", `"x": {"patternProperties": {"^a\\.": {"type": "string", "x-pii": true}}}`,
			[]string{"x map", `x./^a\./ string, personal`},
		},
		{
			"what no other keyword names", `"x": {"unevaluatedProperties": {"type": "string", "x-pii": true}}, "xl": {"unevaluatedItems": {"type": "string"}},
			"xn": {"type": "object", "unevaluatedProperties": false}`,
			[]string{"x map", "x.* string, personal", "xl array of string", "xl[] string", "xn object"},
		},
		{
			"what stands first in a list", `"x": {"prefixItems": [{"type": "string"}, {"properties": {"a": {"type": "integer"}}}], "items": {"type": "boolean"}}`,
			[]string{"x array of boolean", "x[0] string", "x[1] object", "x[1].a integer", "x[] boolean"},
		},
		{
			"a list of lists", `"x": {"items": {"items": {"properties": {"a": {"type": "string"}}}}}`,
			[]string{"x array of array of object", "x[] array of object", "x[][] object", "x[][].a string"},
		},
		{
			"the branches of a choice", `"x": {"required": ["k"], "properties": {"k": {"type": "string"}}, "oneOf": [
			{"required": ["a", "both"], "properties": {"k": {"const": "A"}, "a": {"type": "string", "x-pii": true}, "both": {"enum": ["A"]}}},
			{"required": ["both"], "properties": {"k": {"const": "B"}, "b": {"type": "string"}, "both": {"enum": ["B"]}}}]}`,
			[]string{"x object, 2 forms", "x.a string, alternative, personal", "x.b string, alternative", "x.both string, required, A|B, 2 forms", "x.k string, required, 2 forms"},
		},
		{
			"a choice of members that are asked for", `"x": {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}`,
			[]string{"x object, 2 forms", "x.a string", "x.b string"},
		},
		{
			"nothing, or one of some values", `"x": {"anyOf": [{"enum": ["A"]}, {"type": "null"}]}`,
			[]string{"x string or null, A, 2 forms"},
		},
		{
			"a value in several branches that are no neighbours", `"x": {"anyOf": [{"enum": ["A"]}, {"enum": ["B"]}, {"enum": ["A", "C"]}]}`,
			[]string{"x string, A|B|C, 3 forms"},
		},
		{
			"what a condition brings", `"x": {"if": {"required": ["a"]}, "then": {"required": ["b"], "properties": {"b": {"type": "string"}}}, "dependentSchemas": {"c": {"properties": {"d": {"type": "string"}}}}}`,
			[]string{"x any or object, 3 forms", "x.b string, alternative", "x.d string, alternative"},
		},
		{
			"what two parts say of one member", `"x": {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"enum": ["A"]}}}]}`,
			[]string{"x object", "x.a string, A"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := fieldsOf(t, tt.properties); !slices.Equal(got, tt.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), strings.Join(tt.want, "; "))
			}
		})
	}
}

// A list of itself once overflowed the stack when its type was put into words.
func TestASchemaThatHoldsItselfIsFlattenedToAnEnd(t *testing.T) {
	t.Parallel()
	for _, properties := range []string{
		`"x": {"$ref": "#/properties/payload/properties/x/$defs/l", "$defs": {"l": {"type": "array", "items": {"$ref": "#/properties/payload/properties/x/$defs/l"}}}}`,
		`"x": {"additionalProperties": {"$ref": "#/properties/payload/properties/x"}, "oneOf": [{"properties": {"a": {"$ref": "#/properties/payload/properties/x"}}}, {"properties": {"a": {"$ref": "#/properties/payload/properties/x"}, "b": {"type": "string"}}}]}`,
	} {
		if got := fieldsOf(t, properties); len(got) < 10 || len(got) > 5000 {
			t.Errorf("%d places", len(got))
		}
	}
}

// What a schema repeated without end once took the room of the fields behind it by
// name, which then were compared with nothing.
func TestASchemaThatHoldsItselfHidesNothingBesideIt(t *testing.T) {
	t.Parallel()
	const value = `{"$ref": "#/properties/payload/properties/xa/$defs/value"}`
	got := fieldsOf(t, `"xa": {"additionalProperties": `+value+`, "$defs": {"value": {"anyOf": [{"type": "string"}, {"type": "number"},
		{"type": "array", "items": `+value+`}, {"additionalProperties": `+value+`}]}}},
		"xz": {"properties": {"a": {"properties": {"b": {"type": "string", "x-pii": true}}}}}`)
	want := []string{"xz object", "xz.a object", "xz.a.b string, personal"}
	if len(got) < 100 || !slices.Equal(got[len(got)-len(want):], want) || !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "xa.*[].*[] ") }) {
		t.Errorf("%d places, the last %s", len(got), strings.Join(got[max(0, len(got)-3):], "; "))
	}
}

func TestAPayloadWithMoreFieldsThanAreReadIsNotLoaded(t *testing.T) {
	t.Parallel()
	var wide strings.Builder
	for i := range 5001 {
		fmt.Fprintf(&wide, `"w%d": {"type": "string"}, `, i)
	}
	deep := strings.Repeat(`"d": {"properties": {`, 24) + `"d": {"type": "string"}` + strings.Repeat("}}", 24) + ", "
	for name, properties := range map[string]string{"wide": wide.String(), "deep": deep} {
		files := shop(t)
		replace(t, files, paidSchema, `"contactName": {`, properties+`"contactName": {`)
		if _, err := contract.Load(files); err == nil || !strings.Contains(err.Error(), "is not read any more; make it smaller") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Choices of choices, and lists of them, once took the product of all to load.
func TestChoicesOfChoicesAreFlattenedInTheirNumber(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, branch, of string }{
		{"choices", `{"$ref": "%s"}`, "any"},
		{"lists", `{"items": {"$ref": "%s"}, "title": "%d"}`, "array of array of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const at = "#/properties/payload/properties/x/$defs/"
			defs := []string{`"l10": {"type": "string"}`}
			for i := range 10 {
				next := fmt.Sprintf("%sl%d", at, i+1)
				branches := make([]string, 20)
				for j := range branches {
					branches[j] = strings.NewReplacer("%s", next, "%d", strconv.Itoa(j)).Replace(tt.branch)
				}
				defs = append(defs, fmt.Sprintf(`"l%d": {"anyOf": [%s]}`, i, strings.Join(branches, ",")))
			}
			got := fieldsOf(t, fmt.Sprintf(`"x": {"$ref": "%sl0", "$defs": {%s}}`, at, strings.Join(defs, ",")))
			if len(got) == 0 || !strings.HasPrefix(got[0], "x "+tt.of) {
				t.Errorf("got %s", strings.Join(got, "; "))
			}
		})
	}
}

func TestTheElementsOfAListAreToldByItsType(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, paidSchema, `"contactName": {`, `"x": {"items": {"type": "string"}}, "contactName": {`)
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Event("BasketPaid", 1)
	if slices.ContainsFunc(e.Fields(), func(f contract.Field) bool { return f.Path == "x[]" }) {
		t.Error("they are listed as a field of their own")
	}
	if f, ok := e.Field("x[]"); !ok || f.Type != "string" {
		t.Errorf("they are not known: %+v", f)
	}
	envelope := e.EnvelopeFields()
	if !slices.ContainsFunc(envelope, func(f contract.Field) bool { return f.Path == "envelope.eventId" && f.Required }) ||
		slices.ContainsFunc(envelope, func(f contract.Field) bool { return strings.HasPrefix(f.Path, "envelope.payload") }) {
		t.Errorf("the envelope has %v", envelope)
	}
}
