package compat

import (
	"math/big"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// refusals are the ways in which a document of the branch's kind can break a
// schema, one for each thing that the schema asks; free when every such document
// breaks it.
func (b *branch) refusals(s *jsonschema.Schema) (ways []option, free bool) {
	if s.Bool != nil {
		return nil, !*s.Bool
	}
	r := &refusal{branch: b, s: s}
	if r.types() {
		return nil, true
	}
	if r.values() {
		return nil, true
	}
	r.parts()
	switch b.kind {
	case numberKind:
		r.number()
	case stringKind:
		r.text()
	case arrayKind:
		r.array()
	case objectKind:
		r.object()
	}
	return r.ways, false
}

type refusal struct {
	*branch
	s    *jsonschema.Schema
	ways []option
}

func (r *refusal) way(constraints ...constraint) {
	r.ways = append(r.ways, option{constraints: constraints})
}

func (r *refusal) literally(literals ...literal) {
	r.ways = append(r.ways, option{literals: literals})
}

func (r *refusal) types() (free bool) {
	if r.s.Types == nil || r.s.Types.IsEmpty() {
		return false
	}
	kinds, whole := kindsOf(r.s)
	if whole && r.kind == numberKind {
		r.way(noMultipleOf(big.NewRat(1, 1)))
	}
	return kinds&r.kind == 0
}

func (r *refusal) values() (free bool) {
	if r.s.Const != nil && r.differ([]any{*r.s.Const}) {
		return true
	}
	return r.s.Enum != nil && r.differ(r.s.Enum.Values)
}

// maxDifferent bounds how many values a document is kept different from. More
// are left to the validator to notice.
const maxDifferent = 1000

// differ asks for a document that equals none of the values. Arrays and objects
// differ in what a schema can say.
func (r *refusal) differ(values []any) (free bool) {
	var o option
	var scalars []any
	for _, value := range values {
		switch {
		case kindOf(value) != r.kind || len(scalars)+len(o.literals) == maxDifferent:
		case r.kind == arrayKind || r.kind == objectKind:
			o.literals = append(o.literals, r.refuse(exactly(value)))
		default:
			scalars = append(scalars, value)
		}
	}
	if len(o.literals)+len(scalars) == 0 {
		return true
	}
	if len(scalars) > 0 {
		o.constraints = append(o.constraints, exclude(scalars))
	}
	r.ways = append(r.ways, o)
	return false
}

// exactly is a schema of one array or object.
func exactly(value any) *jsonschema.Schema {
	switch v := value.(type) {
	case []any:
		n := len(v)
		s := &jsonschema.Schema{DraftVersion: latest, Types: typesOf("array"), MinItems: &n, MaxItems: &n}
		for _, element := range v {
			s.PrefixItems = append(s.PrefixItems, exactly(element))
		}
		return s
	case map[string]any:
		s := &jsonschema.Schema{
			DraftVersion: latest, Types: typesOf("object"), Required: sortedNames(v),
			Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: booleanSchema(false),
		}
		for name, member := range v {
			s.Properties[name] = exactly(member)
		}
		return s
	}
	return &jsonschema.Schema{DraftVersion: latest, Const: &value}
}

func typesOf(names ...string) *jsonschema.Types {
	var types jsonschema.Types
	for _, name := range names {
		types.Add(name)
	}
	return &types
}

func (r *refusal) parts() {
	s := r.s
	if s.Ref != nil {
		r.literally(r.refuse(s.Ref))
	}
	for _, part := range s.AllOf {
		r.literally(r.refuse(part))
	}
	if s.Not != nil {
		r.literally(r.keep(s.Not))
	}
	if len(s.AnyOf) > 0 {
		r.literally(r.literals(false, s.AnyOf...)...)
	}
	if len(s.OneOf) > 0 {
		r.literally(r.literals(false, s.OneOf...)...)
		for i, one := range s.OneOf {
			for _, other := range s.OneOf[i+1:] {
				r.literally(r.keep(one), r.keep(other))
			}
		}
	}
	if s.If != nil && s.Then != nil {
		r.literally(r.keep(s.If), r.refuse(s.Then))
	}
	if s.If != nil && s.Else != nil {
		r.literally(r.refuse(s.If), r.refuse(s.Else))
	}
}

func (r *refusal) number() {
	s := r.s
	if s.Minimum != nil {
		r.way(atMost(s.Minimum, true))
	}
	if s.ExclusiveMinimum != nil {
		r.way(atMost(s.ExclusiveMinimum, false))
	}
	if s.Maximum != nil {
		r.way(atLeast(s.Maximum, true))
	}
	if s.ExclusiveMaximum != nil {
		r.way(atLeast(s.ExclusiveMaximum, false))
	}
	if s.MultipleOf != nil {
		r.way(noMultipleOf(s.MultipleOf))
	}
}

func (r *refusal) text() {
	s := r.s
	if s.MinLength != nil && *s.MinLength > 0 {
		r.way(maxLength(*s.MinLength - 1))
	}
	if s.MaxLength != nil {
		r.way(minLength(*s.MaxLength + 1))
	}
	if s.Pattern != nil {
		r.way(func(b *branch) bool { add(&b.text.noPatterns, s.Pattern.String()); return true })
	}
	if s.Format != nil {
		r.way(func(b *branch) bool { add(&b.text.noFormats, s.Format); return true })
	}
}

func (r *refusal) array() {
	s := r.s
	if s.MinItems != nil && *s.MinItems > 0 {
		r.way(maxItems(*s.MinItems - 1))
	}
	if s.MaxItems != nil {
		r.way(minItems(*s.MaxItems + 1))
	}
	if s.UniqueItems {
		r.way(func(b *branch) bool { b.array.twice = true; return minItems(2)(b) })
	}
	for i, part := range s.PrefixItems {
		r.way(element(i, i, r.refuse(part)))
	}
	if s.Items2020 != nil {
		r.way(element(len(s.PrefixItems), noEnd, r.refuse(s.Items2020)))
	}
	if s.Contains != nil {
		if s.MinContains == nil {
			r.way(countAtMost(s.Contains, 0))
		} else if *s.MinContains > 0 {
			r.way(countAtMost(s.Contains, *s.MinContains-1))
		}
		if s.MaxContains != nil {
			r.way(countAtLeast(s.Contains, *s.MaxContains+1))
		}
	}
	if s.UnevaluatedItems != nil {
		r.unevaluated()
	}
}

func (r *refusal) object() {
	s := r.s
	if s.MinProperties != nil && *s.MinProperties > 0 {
		r.way(maxMembers(*s.MinProperties - 1))
	}
	if s.MaxProperties != nil {
		r.way(minMembers(*s.MaxProperties + 1))
	}
	for _, name := range s.Required {
		r.way(absent(name))
	}
	for _, name := range sortedNames(s.Properties) {
		r.way(present(name), member(selector{exact: &name}, r.refuse(s.Properties[name])))
	}
	for _, re := range sortedPatterns(s.PatternProperties) {
		r.way(member(selector{in: []string{re.String()}}, r.refuse(s.PatternProperties[re])))
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		r.way(member(others(s), r.refuse(additional)))
	}
	if s.PropertyNames != nil {
		r.way(member(selector{named: []literal{r.refuse(s.PropertyNames)}}))
	}
	r.dependents()
	if s.UnevaluatedProperties != nil {
		r.unevaluated()
	}
}

func (r *refusal) dependents() {
	s := r.s
	for _, name := range sortedNames(s.DependentRequired) {
		for _, other := range s.DependentRequired[name] {
			r.way(present(name), absent(other))
		}
	}
	for _, name := range sortedNames(s.DependentSchemas) {
		r.ways = append(r.ways, option{constraints: []constraint{present(name)}, literals: []literal{r.refuse(s.DependentSchemas[name])}})
	}
}

// others selects the names that additionalProperties speaks of.
func others(s *jsonschema.Schema) selector {
	sel := selector{notNames: sortedNames(s.Properties)}
	for _, re := range sortedPatterns(s.PatternProperties) {
		sel.notIn = append(sel.notIn, re.String())
	}
	return sel
}

// unevaluated: everything else in the schema holds, and something that none of
// it looked at does not.
func (r *refusal) unevaluated() {
	rest := withoutUnevaluated(r.s)
	s := r.s
	r.ways = append(r.ways, option{
		literals: []literal{r.keep(rest)},
		constraints: []constraint{func(b *branch) bool {
			add(&b.complete, rest)
			add(&b.unevaluated, unevaluated{schema: s, refused: true})
			return true
		}},
	})
}
