package contract_test

import (
	"testing"

	"factline.dev/contract"
)

func TestAValueIsFollowedToItsPlace(t *testing.T) {
	t.Parallel()
	files := shop(t)
	replace(t, files, paidSchema, `"contactName": {`, `
		"pair": {"prefixItems": [{"x-pii": true}, {}], "items": {"properties": {"a": {"x-pii": true}}}},
		"open": {"type": "array"},
		"home": {"properties": {"phone": {}}, "patternProperties": {"^x-": {"x-pii": true}}, "additionalProperties": {"anyOf": [{"type": "null"}, {"x-pii": true}]}},
		"a.b": {"x-pii": true}, "a": {"properties": {"b": {}}},
		"tree": {"properties": {"name": {"x-pii": true}, "inner": {"items": {"$ref": "#/properties/payload/properties/tree"}}}},
		"rest": {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": {"x-pii": true}, "unevaluatedItems": {"x-pii": true}},
		"contactName": {`)
	c, err := contract.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Event("BasketPaid", 1)
	const unknown, plain, personal = "unknown", "plain", "personal"
	for _, tt := range []struct {
		want  string
		route []any
	}{
		{plain, []any{"basketId"}},
		{personal, []any{"contactName"}},
		{unknown, []any{"contactName", "first"}},
		{personal, []any{"pair", 0}},
		{plain, []any{"pair", 1}},
		{plain, []any{"pair", 2}},
		{personal, []any{"pair", 2, "a"}},
		{unknown, []any{"open", 0}},
		{plain, []any{"home", "phone"}},
		{personal, []any{"home", "x-phone"}},
		{personal, []any{"home", "*"}},
		{personal, []any{"a.b"}},
		{plain, []any{"a", "b"}},
		{unknown, []any{"home.phone"}},
		{plain, []any{"rest", "a"}},
		{personal, []any{"rest", "b"}},
		{personal, []any{"rest", 0}},
		{personal, []any{"tree", "inner", 0, "inner", 1, "inner", 2, "name"}},
	} {
		place := e.Place("payload")
		for _, step := range tt.route {
			switch step := step.(type) {
			case string:
				place = place.Member(step)
			case int:
				place = place.Element(step)
			}
		}
		got := unknown
		if place.Known() {
			got = map[bool]string{false: plain, true: personal}[place.PII()]
		}
		if got != tt.want {
			t.Errorf("%v is %s, want %s", tt.route, got, tt.want)
		}
	}
}
