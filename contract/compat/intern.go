package compat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
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
	at := make(map[*jsonschema.Schema]int, len(all))
	for i, s := range all {
		at[s] = i
	}
	labels := make([][]byte, len(all))
	parts := make([][]int, len(all))
	for i, s := range all {
		label, children := describe(s)
		labels[i], parts[i] = label, make([]int, len(children))
		for j, c := range children {
			parts[i][j] = at[c]
		}
	}
	colors, classes := refine(labels, parts)
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
		key := labels[i]
		for _, part := range parts[i] {
			key = appendPart(key, f.numbers[all[part]])
		}
		f.byKey[string(key)] = f.numbers[s]
	}
}

// refine gives alike what has the same label and the same parts.
func refine(labels [][]byte, parts [][]int) (colors []int, classes int) {
	colors, next := make([]int, len(labels)), make([]int, len(labels))
	seen := colorsOf{}
	for i, label := range labels {
		colors[i] = seen.color(label)
	}
	var key []byte
	for classes != len(seen) {
		classes = len(seen)
		seen = colorsOf{}
		for i, color := range colors {
			key = strconv.AppendInt(key[:0], int64(color), 10)
			for _, part := range parts[i] {
				key = appendPart(key, colors[part])
			}
			next[i] = seen.color(key)
		}
		colors, next = next, colors
	}
	return colors, classes
}

// colorsOf numbers keys in the order in which they come.
type colorsOf map[string]int

func (c colorsOf) color(key []byte) int {
	n, ok := c[string(key)]
	if !ok {
		n = len(c)
		c[string(key)] = n
	}
	return n
}

func appendPart(key []byte, n int) []byte { return strconv.AppendInt(append(key, '|'), int64(n), 10) }

// of returns the number of a schema, a new one for a schema that was made of
// others.
func (f *forms) of(s *jsonschema.Schema) int {
	if n, ok := f.numbers[s]; ok {
		return n
	}
	key, children := describe(s)
	for _, c := range children {
		key = appendPart(key, f.of(c))
	}
	n, ok := f.byKey[string(key)]
	if !ok {
		f.schemas = append(f.schemas, s)
		n = len(f.schemas) - 1
		f.byKey[string(key)] = n
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
	return bytes.Equal(own, only)
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
		eachPart(s, func(_, _ string, part *jsonschema.Schema) { todo = append(todo, part) })
	}
	return all
}

// describe returns what a schema says itself, and the schemas that it says the
// rest with, in the order in which the label names them.
func describe(s *jsonschema.Schema) (own []byte, children []*jsonschema.Schema) {
	l := ownWords(s)
	eachPart(s, func(word, name string, part *jsonschema.Schema) {
		l = append(append(l, ';'), word...)
		if name != "" {
			l = strconv.AppendQuote(l, name)
		}
		children = append(children, part)
	})
	return l, children
}

// eachPart goes through the schemas that a schema says a part of what it says
// with, always in the same order.
func eachPart(s *jsonschema.Schema, visit func(word, name string, part *jsonschema.Schema)) {
	one := func(word string, part *jsonschema.Schema) {
		if part != nil {
			visit(word, "", part)
		}
	}
	list := func(word string, parts []*jsonschema.Schema) {
		for _, part := range parts {
			visit(word, "", part)
		}
	}
	one("ref", s.Ref)
	one("not", s.Not)
	one("if", s.If)
	one("then", s.Then)
	one("else", s.Else)
	one("names", s.PropertyNames)
	one("unevaluatedProperties", s.UnevaluatedProperties)
	one("items", s.Items2020)
	one("contains", s.Contains)
	one("unevaluatedItems", s.UnevaluatedItems)
	list("allOf", s.AllOf)
	list("anyOf", s.AnyOf)
	list("oneOf", s.OneOf)
	list("prefix", s.PrefixItems)
	for _, name := range sortedNames(s.Properties) {
		visit("property:", name, s.Properties[name])
	}
	for _, re := range sortedPatterns(s.PatternProperties) {
		visit("pattern:", re.String(), s.PatternProperties[re])
	}
	for _, name := range sortedNames(s.DependentSchemas) {
		visit("dependent:", name, s.DependentSchemas[name])
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		visit("additional", "", additional)
	}
}

// label is what a schema says in its own words, however they were written.
type label []byte

func (l *label) say(word, value string) {
	*l = append(append(append(append(*l, ';'), word...), '='), value...)
}

func (l *label) count(word string, n *int) {
	if n != nil {
		l.say(word, strconv.Itoa(*n))
	}
}

func (l *label) bound(word string, at *big.Rat) {
	if at != nil {
		l.say(word, at.RatString())
	}
}

func ownWords(s *jsonschema.Schema) label {
	var l label
	if s.Bool != nil {
		l.say("bool", strconv.FormatBool(*s.Bool))
	}
	if s.Types != nil {
		l.say("type", strconv.Itoa(int(*s.Types)))
	}
	if s.Enum != nil {
		l.say("enum", strings.Join(canonicals(s.Enum.Values), " "))
	}
	if s.Const != nil {
		l.say("const", canonical(*s.Const))
	}
	if s.Format != nil {
		l.say("format", s.Format.Name)
	}
	if s.Pattern != nil {
		l.say("pattern", strconv.Quote(s.Pattern.String()))
	}
	if len(s.Required) > 0 {
		l.say("required", fmt.Sprintf("%q", sortedSet(s.Required)))
	}
	if s.UniqueItems {
		l.say("unique", "true")
	}
	for _, name := range sortedNames(s.DependentRequired) {
		l.say("dependent", fmt.Sprintf("%q:%q", name, sortedSet(s.DependentRequired[name])))
	}
	l.numbers(s)
	return l
}

func (l *label) numbers(s *jsonschema.Schema) {
	l.bound("minimum", s.Minimum)
	l.bound("maximum", s.Maximum)
	l.bound("over", s.ExclusiveMinimum)
	l.bound("under", s.ExclusiveMaximum)
	l.bound("multiple", s.MultipleOf)
	l.count("minLength", s.MinLength)
	l.count("maxLength", s.MaxLength)
	l.count("minItems", s.MinItems)
	l.count("maxItems", s.MaxItems)
	l.count("minProperties", s.MinProperties)
	l.count("maxProperties", s.MaxProperties)
	l.count("minContains", s.MinContains)
	l.count("maxContains", s.MaxContains)
}

func sortedNames[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func sortedSet(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func sortedPatterns(m map[jsonschema.Regexp]*jsonschema.Schema) []jsonschema.Regexp {
	if len(m) == 0 {
		return nil
	}
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
		return strconv.Quote(v)
	}
	return fmt.Sprint(value)
}
