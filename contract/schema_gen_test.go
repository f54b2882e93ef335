package contract

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The pools are small, so that schemas and values meet.
func nameWords() []string { return []string{"a", "b", "ab", "c", ""} }

func textWords() []string {
	return []string{"", "A", "AB", "1", "-1.50", "ä", "😀", "a1", "2024-02-29", "2023-02-29", "2024-02-29T10:00:00Z", "\u2028", "null"}
}

func numberWords() []string {
	return []string{"0", "1", "-1", "2", "1.0", "1e0", "0.5", "-0", "10", "1e2", "100", "9223372036854775807", "9223372036854775808", "-0.0", "3"}
}

func patternWords() []string {
	return []string{"^[A-Z]+$", "^-?[0-9]+\\.[0-9]{2}$", "a", "^(a|b)$", "^.$", "^[^a]{1,2}$", "^a?b*$", "^$", "(?i)^ab$", "^[ab]*b$", "\\p{L}", "^a1\\z", "(?s)^.+$"}
}

func pick(t *rapid.T, words []string) string { return rapid.SampledFrom(words).Draw(t, "word") }

func chance(t *rapid.T, of int) bool { return rapid.IntRange(0, of-1).Draw(t, "chance") == 0 }

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func drawSchema(t *rapid.T) string {
	root, ok := drawSub(t, 3).(map[string]any)
	if !ok {
		root = map[string]any{}
	}
	root["$defs"] = map[string]any{"a": drawSub(t, 2), "b": drawSub(t, 2)}
	text, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func drawSub(t *rapid.T, depth int) any {
	if chance(t, 12) {
		return rapid.Bool().Draw(t, "schema")
	}
	s := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "keywords") {
		drawScalarKeyword(t, s)
	}
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "applicators") {
			drawApplicator(t, s, depth-1)
		}
	}
	return s
}

func drawScalarKeyword(t *rapid.T, s map[string]any) {
	switch rapid.IntRange(0, 17).Draw(t, "keyword") {
	case 0, 1, 2:
		s["type"] = pick(t, []string{"null", "boolean", "integer", "number", "string", "array", "object"})
	case 3:
		s["type"] = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"null", "integer", "number", "string", "array", "object"}), 1, 3, rapid.ID[string]).Draw(t, "types")
	case 4:
		s["const"] = drawConst(t)
	case 5:
		s["enum"] = []any{drawConst(t), drawConst(t), drawConst(t)}
	case 6:
		s[pick(t, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})] = raw(pick(t, numberWords()))
	case 7:
		s["multipleOf"] = raw(pick(t, []string{"1", "2", "0.5", "1e1", "3.0"}))
	case 8:
		s[pick(t, []string{"minLength", "minItems", "minProperties"})] = rapid.IntRange(0, 2).Draw(t, "least")
	case 9:
		s[pick(t, []string{"maxLength", "maxItems", "maxProperties"})] = rapid.IntRange(0, 3).Draw(t, "most")
	case 10, 11:
		s["pattern"] = pick(t, patternWords())
	case 12, 13:
		s["format"] = pick(t, []string{"date", "date-time", "uuid", "ipv4", "regex", "uri", "none", "email", "time"})
	case 14, 15:
		s["required"] = rapid.SliceOfNDistinct(rapid.SampledFrom(nameWords()), 0, 2, rapid.ID[string]).Draw(t, "required")
	case 16:
		s["uniqueItems"] = true
	case 17:
		s["x-unknown"] = true
	}
}

func drawConst(t *rapid.T) any { return raw(drawValue(t, 1, false)) }

func drawApplicator(t *rapid.T, s map[string]any, depth int) {
	some := func() []any { return []any{drawSub(t, depth), drawSub(t, depth)} }
	switch rapid.IntRange(0, 13).Draw(t, "applicator") {
	case 0, 1, 2, 3:
		properties := map[string]any{}
		for range rapid.IntRange(1, 3).Draw(t, "properties") {
			properties[pick(t, nameWords())] = drawSub(t, depth)
		}
		s["properties"] = properties
	case 4:
		s["additionalProperties"] = drawSub(t, depth)
	case 5:
		s["patternProperties"] = map[string]any{pick(t, []string{"^a", "b$", "^$", "c"}): drawSub(t, depth), pick(t, []string{"^a", "b$"}): drawSub(t, depth)}
	case 6, 7:
		s["items"] = drawSub(t, depth)
	case 8:
		s["prefixItems"] = some()
	case 9, 10:
		s["$ref"] = pick(t, []string{"#", "#/$defs/a", "#/$defs/b"})
	case 11:
		s["allOf"] = some()
	case 12:
		s[pick(t, []string{"anyOf", "anyOf", "anyOf", "oneOf"})] = some()
	case 13:
		s[pick(t, []string{"not", "if", "contains", "propertyNames", "unevaluatedItems"})] = drawSub(t, depth)
	}
}

// drawValue spells a value; wild is with escapes, names that stand twice and
// what is no JSON.
func drawValue(t *rapid.T, depth int, wild bool) string {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		return pick(t, []string{"null", "true", "false"})
	case 1, 2:
		return pick(t, numberWords())
	case 3, 4, 5:
		if wild && chance(t, 20) {
			return pick(t, []string{`"\ud800"`, `"\x"`, "\"\xff\"", "1e1000", "01", `"`, "", "nul"})
		}
		return drawText(t, textWords(), wild)
	case 6:
		return "[" + drawList(t, depth, wild, false) + "]"
	}
	return "{" + drawList(t, depth, wild, true) + "}"
}

func drawList(t *rapid.T, depth int, wild, named bool) string {
	var parts []string
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "length") {
		value := drawValue(t, depth-1, wild)
		if named {
			name := drawText(t, nameWords(), wild && chance(t, 8))
			if seen[name] && (!wild || !chance(t, 8)) {
				continue
			}
			seen[name] = true
			value = name + ":" + value
		}
		parts = append(parts, value)
	}
	return strings.Join(parts, pick(t, []string{",", ",", " , "}))
}

func drawText(t *rapid.T, words []string, wild bool) string {
	text, _ := json.Marshal(pick(t, words))
	if !wild || !chance(t, 6) {
		return string(text)
	}
	var b strings.Builder
	for _, r := range strings.Trim(string(text), `"`) {
		if r > 0xffff || r == '\\' {
			return string(text)
		}
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return `"` + b.String() + `"`
}

type tally struct{ schemas, shapes, sure, could int }

func (n *tally) check(t *rapid.T) {
	text := drawSchema(t)
	schema, err := compileText(text)
	if err != nil {
		return
	}
	s := shapeOf(schema)
	t.Log(text)
	n.schemas++
	n.shapes += count(s != nil)
	for range 12 {
		sure, could := compare(t, schema, s, []byte(drawValue(t, 3, true)))
		if s != nil {
			n.sure, n.could = n.sure+count(sure), n.could+count(could)
		}
	}
}

func TestNoShapeSaysMoreThanItsSchema(t *testing.T) {
	t.Parallel()
	n := &tally{}
	rapid.Check(t, n.check)
	t.Logf("%+v", *n)
	if n.shapes < n.schemas/4 || n.sure < n.could/2 {
		t.Errorf("%+v: too little was compared", *n)
	}
}
