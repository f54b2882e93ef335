package compat

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// forms gives schemas that say the same, word for word and through their
// references, one number, whichever document they stand in. That is what lets
// the engine see a contradiction between old and new without looking inside.
type forms struct {
	numbers map[*jsonschema.Schema]int
	schemas []*jsonschema.Schema // one for each number, from 1
	byKey   map[string]int
	enums   map[int]map[string]bool // the members of a schema that is nothing but an enum
}

func newForms() *forms {
	return &forms{numbers: map[*jsonschema.Schema]int{}, schemas: []*jsonschema.Schema{nil}, byKey: map[string]int{}, enums: map[int]map[string]bool{}}
}

// add numbers everything reachable from the roots by refinement: what differs in
// its own words differs, and so does what has a part that differs.
func (f *forms) add(roots ...*jsonschema.Schema) {
	all := reachable(roots)
	labels := make([]string, len(all))
	at := map[*jsonschema.Schema]int{}
	children := make([][]*jsonschema.Schema, len(all))
	for i, s := range all {
		labels[i], children[i] = describe(s)
		at[s] = i
	}
	colors, classes := numbered(labels)
	for {
		keys := make([]string, len(all))
		for i := range all {
			keys[i] = key(fmt.Sprint(colors[i]), children[i], func(s *jsonschema.Schema) int { return colors[at[s]] })
		}
		next, n := numbered(keys)
		colors = next
		if n == classes {
			break
		}
		classes = n
	}
	first := make([]int, classes)
	for i, s := range all {
		color := colors[i]
		if first[color] == 0 {
			f.schemas = append(f.schemas, s)
			first[color] = len(f.schemas) - 1
		}
		f.numbers[s] = first[color]
	}
	for i, s := range all {
		f.byKey[key(labels[i], children[i], f.of)] = f.numbers[s]
	}
}

func numbered(keys []string) (numbers []int, n int) {
	seen := map[string]int{}
	numbers = make([]int, len(keys))
	for i, k := range keys {
		at, ok := seen[k]
		if !ok {
			at = len(seen)
			seen[k] = at
		}
		numbers[i] = at
	}
	return numbers, len(seen)
}

func key(label string, children []*jsonschema.Schema, of func(*jsonschema.Schema) int) string {
	var b strings.Builder
	b.WriteString(label)
	for _, c := range children {
		fmt.Fprintf(&b, "|%d", of(c))
	}
	return b.String()
}

// of returns the number of a schema, a new one for a schema that was made of
// others.
func (f *forms) of(s *jsonschema.Schema) int {
	if n, ok := f.numbers[s]; ok {
		return n
	}
	label, children := describe(s)
	k := key(label, children, f.of)
	n, ok := f.byKey[k]
	if !ok {
		f.schemas = append(f.schemas, s)
		n = len(f.schemas) - 1
		f.byKey[k] = n
	}
	f.numbers[s] = n
	return n
}

// accepts asks the validator.
func (f *forms) accepts(n int, value any) bool {
	if members, ok := f.enums[n]; ok {
		return members[canonical(value)]
	}
	s := f.schemas[n]
	if s.Enum != nil && len(s.Enum.Values) > manyMembers && isOnlyEnum(s) {
		f.enums[n] = map[string]bool{}
		for _, v := range s.Enum.Values {
			f.enums[n][canonical(v)] = true
		}
		return f.enums[n][canonical(value)]
	}
	return s.Validate(value) == nil
}

// manyMembers is where looking an enum's members up one by one gets dear.
const manyMembers = 8

func isOnlyEnum(s *jsonschema.Schema) bool {
	own, _ := describe(s)
	only, _ := describe(&jsonschema.Schema{Enum: s.Enum})
	return own == only
}

func reachable(roots []*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{}
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		all = append(all, s)
		_, children := describe(s)
		todo = append(todo, children...)
	}
	return all
}

// describe returns what a schema says itself, and the schemas that it says the
// rest with, in the order in which the label names them.
func describe(s *jsonschema.Schema) (string, []*jsonschema.Schema) {
	d := &description{}
	d.values(s)
	for _, part := range []struct {
		name string
		s    *jsonschema.Schema
	}{
		{"ref", s.Ref},
		{"not", s.Not},
		{"if", s.If},
		{"then", s.Then},
		{"else", s.Else},
		{"names", s.PropertyNames},
		{"unevaluatedProperties", s.UnevaluatedProperties},
		{"items", s.Items2020},
		{"contains", s.Contains},
		{"unevaluatedItems", s.UnevaluatedItems},
	} {
		if part.s != nil {
			d.part(part.name, part.s)
		}
	}
	d.list("allOf", s.AllOf)
	d.list("anyOf", s.AnyOf)
	d.list("oneOf", s.OneOf)
	d.list("prefix", s.PrefixItems)
	for _, name := range sortedNames(s.Properties) {
		d.part("property", s.Properties[name], name)
	}
	for _, re := range sortedPatterns(s.PatternProperties) {
		d.part("pattern", s.PatternProperties[re], re.String())
	}
	for _, name := range sortedNames(s.DependentSchemas) {
		d.part("dependent", s.DependentSchemas[name], name)
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		d.part("additional", additional)
	}
	return d.label.String(), d.children
}

type description struct {
	label    strings.Builder
	children []*jsonschema.Schema
}

func (d *description) part(word string, s *jsonschema.Schema, names ...string) {
	fmt.Fprintf(&d.label, ";%s%q", word, names)
	d.children = append(d.children, s)
}

func (d *description) list(word string, all []*jsonschema.Schema) {
	for _, s := range all {
		d.part(word, s)
	}
}

func (d *description) value(word string, is bool, value func() any) {
	if is {
		fmt.Fprintf(&d.label, ";%s=%v", word, value())
	}
}

func (d *description) values(s *jsonschema.Schema) {
	d.value("bool", s.Bool != nil, func() any { return *s.Bool })
	d.value("type", s.Types != nil, func() any { return *s.Types })
	d.value("enum", s.Enum != nil, func() any { return canonicals(s.Enum.Values) })
	d.value("const", s.Const != nil, func() any { return canonical(*s.Const) })
	d.value("format", s.Format != nil, func() any { return s.Format.Name })
	d.counts(s)
	for _, bound := range []struct {
		word string
		at   *big.Rat
	}{{"minimum", s.Minimum}, {"maximum", s.Maximum}, {"over", s.ExclusiveMinimum}, {"under", s.ExclusiveMaximum}, {"multiple", s.MultipleOf}} {
		d.value(bound.word, bound.at != nil, func() any { return bound.at.RatString() })
	}
	d.value("pattern", s.Pattern != nil, func() any { return fmt.Sprintf("%q", s.Pattern) })
	d.value("required", len(s.Required) > 0, func() any { return fmt.Sprintf("%q", sortedSet(s.Required)) })
	d.value("unique", s.UniqueItems, func() any { return true })
	for _, name := range sortedNames(s.DependentRequired) {
		d.value("dependent", true, func() any { return fmt.Sprintf("%q:%q", name, sortedSet(s.DependentRequired[name])) })
	}
}

func (d *description) counts(s *jsonschema.Schema) {
	for i, n := range []*int{
		s.MinLength, s.MaxLength, s.MinItems, s.MaxItems, s.MinProperties, s.MaxProperties, s.MinContains, s.MaxContains,
	} {
		d.value(fmt.Sprint("n", i), n != nil, func() any { return *n })
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedSet(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func sortedPatterns(m map[jsonschema.Regexp]*jsonschema.Schema) []jsonschema.Regexp {
	return slices.SortedFunc(maps.Keys(m), func(a, b jsonschema.Regexp) int { return cmp.Compare(a.String(), b.String()) })
}

func canonicals(values []any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = canonical(v)
	}
	return sortedSet(all)
}

// canonical writes equal values alike: 1.0 is 1.
func canonical(value any) string {
	switch v := value.(type) {
	case json.Number:
		if exact, ok := new(big.Rat).SetString(v.String()); ok {
			return exact.RatString()
		}
	case []any:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = canonical(element)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, name := range sortedNames(v) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, canonical(v[name])))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(value)
}
