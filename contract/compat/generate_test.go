package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// The pools are small, so that schemas and documents meet.
var (
	someNames    = []string{"a", "b", "ab", "c", ""}
	someTexts    = []string{"", "A", "AB", "1", "-1.50", "ä", "a1", "ab", "2024-02-29", "2023-02-29", "aaaa"}
	someNumbers  = []string{"0", "1", "-1", "2", "1.0", "0.5", "0.1", "10", "1e2", "3", "4", "6", "9007199254740993", "-0.3"}
	somePatterns = []string{"^[A-Z]+$", "^-?[0-9]+\\.[0-9]{2}$", "a", "^(a|b)$", "^.$", "^[^a]{1,2}$", "^a?b*$", "^$", "(?i)^ab$", "\\p{L}", "^[a-z]*$", "^[0-9]"}
	someTypes    = []string{"null", "boolean", "integer", "number", "string", "array", "object"}
)

// source draws schemas and documents.
type source struct{ *rand.Rand }

func (r source) chance(of int) bool { return r.IntN(of) == 0 }

func one[T any](r source, of []T) T { return of[r.IntN(len(of))] }

func (r source) number() json.Number { return json.Number(one(r, someNumbers)) }

func (r source) schema(depth int) any {
	if r.chance(14) {
		return r.chance(2)
	}
	s := map[string]any{}
	if !r.chance(4) {
		r.typed(s, one(r, someTypes), depth)
	} else {
		for range r.IntN(3) {
			r.typed(s, one(r, someTypes), depth)
		}
		delete(s, "type")
	}
	if depth > 0 && r.chance(4) {
		r.combined(s, depth-1)
	}
	if r.chance(14) {
		s["enum"] = []any{r.value(1), r.value(1), r.value(1)}
	}
	if r.chance(25) {
		s["const"] = r.value(1)
	}
	return s
}

// typed adds keywords of a type.
func (r source) typed(s map[string]any, t string, depth int) {
	s["type"] = t
	if r.chance(6) {
		s["type"] = slices.Compact(slices.Sorted(slices.Values([]string{t, one(r, someTypes)})))
	}
	for range r.IntN(3) {
		switch t {
		case "integer", "number":
			r.numeric(s)
		case "string":
			r.textual(s)
		case "array":
			r.listed(s, depth)
		case "object":
			r.membered(s, depth)
		}
	}
}

func (r source) numeric(s map[string]any) {
	if r.chance(4) {
		s["multipleOf"] = json.Number(one(r, []string{"1", "2", "0.5", "0.1", "3", "0.01"}))
		return
	}
	s[one(r, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})] = r.number()
}

func (r source) textual(s map[string]any) {
	switch r.IntN(4) {
	case 0:
		s["minLength"] = r.IntN(3)
	case 1:
		s["maxLength"] = r.IntN(4)
	case 2:
		s["pattern"] = one(r, somePatterns)
	case 3:
		if r.chance(3) {
			s["format"] = one(r, []string{"date", "date-time", "uuid", "ipv4"})
		}
	}
}

func (r source) listed(s map[string]any, depth int) {
	switch n := r.IntN(8); {
	case n == 0:
		s["minItems"] = r.IntN(3)
	case n == 1:
		s["maxItems"] = r.IntN(4)
	case n == 2:
		s["uniqueItems"] = true
	case depth == 0:
	case n == 3:
		s["prefixItems"] = []any{r.schema(depth - 1), r.schema(depth - 1)}[:1+r.IntN(2)]
	case n == 4:
		s["contains"] = r.schema(depth - 1)
		if r.chance(2) {
			s["minContains"] = r.IntN(3)
		}
		if r.chance(2) {
			s["maxContains"] = r.IntN(3)
		}
	case n == 5 && r.chance(3):
		s["unevaluatedItems"] = r.schema(depth - 1)
	default:
		s["items"] = r.schema(depth - 1)
	}
}

func (r source) membered(s map[string]any, depth int) {
	switch n := r.IntN(14); {
	case n <= 1:
		s["required"] = slices.Compact(slices.Sorted(slices.Values([]string{one(r, someNames), one(r, someNames)})))
	case n == 2:
		s[one(r, []string{"minProperties", "maxProperties"})] = r.IntN(3)
	case n == 3:
		s["dependentRequired"] = map[string]any{one(r, someNames): []any{one(r, someNames)}}
	case depth == 0:
	case n == 4:
		s["additionalProperties"] = r.schema(depth - 1)
	case n == 5:
		s["additionalProperties"] = false
	case n == 6:
		s["patternProperties"] = map[string]any{one(r, []string{"^a", "b$", "^$", "c"}): r.schema(depth - 1)}
	case n == 7 && r.chance(2):
		s["propertyNames"] = map[string]any{"pattern": one(r, somePatterns)}
	case n == 8:
		s["dependentSchemas"] = map[string]any{one(r, someNames): r.schema(depth - 1)}
	case n == 9 && r.chance(2):
		s["unevaluatedProperties"] = r.chance(2)
	default:
		p, _ := s["properties"].(map[string]any)
		if p == nil {
			p = map[string]any{}
		}
		p = maps.Clone(p)
		p[one(r, someNames)] = r.schema(depth - 1)
		s["properties"] = p
	}
}

func (r source) combined(s map[string]any, depth int) {
	some := func() []any { return []any{r.schema(depth), r.schema(depth)} }
	switch r.IntN(7) {
	case 0:
		s["allOf"] = some()
	case 1, 2:
		s["anyOf"] = some()
	case 3:
		s["oneOf"] = some()
	case 4:
		s["not"] = r.schema(depth)
	case 5:
		s["if"] = r.schema(depth)
		s[one(r, []string{"then", "else"})] = r.schema(depth)
	case 6:
		s["$ref"] = one(r, []string{"#/$defs/x", "#/$defs/y"})
	}
}

// value draws a document.
func (r source) value(depth int) any {
	kinds := 10
	if depth == 0 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		return one(r, []any{nil, true, false})
	case 1, 2, 3:
		return r.number()
	case 4, 5, 6:
		return one(r, someTexts)
	case 7:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, r.value(depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(4) {
		object[one(r, someNames)] = r.value(depth - 1)
	}
	return object
}

// suiting draws a document that a schema might accept.
func (r source) suiting(schema any, defs map[string]any, depth int) any {
	s, _ := schema.(map[string]any)
	if depth == 0 || len(s) == 0 || r.chance(12) {
		return r.value(2)
	}
	if values, ok := s["enum"].([]any); ok {
		return one(r, values)
	}
	if value, ok := s["const"]; ok {
		return value
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		if parts, ok := s[keyword].([]any); ok && r.chance(2) {
			return r.suiting(one(r, parts), defs, depth-1)
		}
	}
	if ref, ok := s["$ref"].(string); ok && r.chance(2) {
		return r.suiting(defs[ref[len("#/$defs/"):]], defs, depth-1)
	}
	t, ok := s["type"].(string)
	if !ok {
		t = one(r, someTypes)
	}
	switch t {
	case "null":
		return nil
	case "boolean":
		return r.chance(2)
	case "integer", "number":
		return r.number()
	case "string":
		return one(r, someTexts)
	case "array":
		return r.suitingList(s, defs, depth)
	}
	return r.suitingObject(s, defs, depth)
}

func (r source) suitingList(s, defs map[string]any, depth int) any {
	list := []any{}
	prefix, _ := s["prefixItems"].([]any)
	for i := range r.IntN(4) {
		part := s["items"]
		if i < len(prefix) {
			part = prefix[i]
		} else if c, ok := s["contains"]; ok && r.chance(2) {
			part = c
		}
		list = append(list, r.suiting(part, defs, depth-1))
	}
	return list
}

func (r source) suitingObject(s, defs map[string]any, depth int) any {
	object := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	for name, part := range properties {
		if !r.chance(3) {
			object[name] = r.suiting(part, defs, depth-1)
		}
	}
	required, _ := s["required"].([]string)
	for _, name := range required {
		if _, there := object[name]; !there {
			object[name] = r.suiting(s["additionalProperties"], defs, depth-1)
		}
	}
	for range r.IntN(2) {
		object[one(r, someNames)] = r.value(1)
	}
	return object
}

func copied(value any) any {
	switch v := value.(type) {
	case map[string]any:
		c := map[string]any{}
		for name, member := range v {
			c[name] = copied(member)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = copied(v[i])
		}
		return c
	}
	return value
}

// changed edits a schema as an author of a next version does.
func (r source) changed(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || len(s) == 0 {
		return r.schema(depth)
	}
	keys := slices.Sorted(maps.Keys(s))
	keyword := one(r, keys)
	switch inner := s[keyword].(type) {
	case map[string]any:
		if keyword == "properties" || keyword == "patternProperties" || keyword == "dependentSchemas" {
			if len(inner) > 0 && !r.chance(4) {
				name := one(r, slices.Sorted(maps.Keys(inner)))
				inner[name] = r.changed(inner[name], max(depth-1, 0))
				return s
			}
		} else if keyword != "dependentRequired" && keyword != "const" && !r.chance(4) {
			s[keyword] = r.changed(inner, max(depth-1, 0))
			return s
		}
	case []any:
		if keyword == "anyOf" || keyword == "oneOf" || keyword == "allOf" || keyword == "prefixItems" {
			switch {
			case r.chance(3) && len(inner) > 1:
				s[keyword] = inner[1:]
			case r.chance(3):
				s[keyword] = append(inner, r.schema(max(depth-1, 0)))
			default:
				i := r.IntN(len(inner))
				inner[i] = r.changed(inner[i], max(depth-1, 0))
			}
			return s
		}
	}
	switch {
	case r.chance(2) && keyword != "type":
		delete(s, keyword)
	case r.chance(3):
		return map[string]any{"anyOf": []any{s, r.schema(0)}}
	default:
		t, _ := s["type"].(string)
		if t == "" {
			t = one(r, someTypes)
		}
		before := s["type"]
		r.typed(s, t, depth)
		if before != nil && r.chance(2) {
			s["type"] = before
		}
	}
	return s
}

// pair draws two schemas, mostly of one family.
func (r source) pair() (old, next map[string]any) {
	root := func(s any) map[string]any {
		m, ok := s.(map[string]any)
		if !ok {
			m = map[string]any{"not": map[string]any{}}
			if s == true {
				m = map[string]any{"title": "anything"}
			}
		}
		return m
	}
	old = root(r.schema(2))
	switch {
	case r.chance(10):
		next = root(r.schema(2))
	default:
		c := copied(old)
		for range 1 + r.IntN(2) {
			c = r.changed(c, 2)
		}
		next = root(c)
	}
	defs := map[string]any{"x": r.schema(1), "y": r.schema(1)}
	old["$defs"] = defs
	next = maps.Clone(next)
	next["$defs"] = defs
	if r.chance(4) {
		next["$defs"] = map[string]any{"x": defs["y"], "y": r.changed(copied(defs["y"]), 1)}
	}
	if r.chance(2) {
		old, next = next, old
	}
	return old, next
}

func written(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprint("a schema cannot be written: ", err))
	}
	return string(b)
}
