package compat

import (
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// unevaluated is an unevaluatedProperties or unevaluatedItems that waits until
// the case has decided which parts of its schema hold.
type unevaluated struct {
	schema  *jsonschema.Schema
	refused bool
}

func (b *branch) holdUnevaluated(s *jsonschema.Schema) bool {
	if b.kind == objectKind && s.UnevaluatedProperties != nil || b.kind == arrayKind && s.UnevaluatedItems != nil {
		add(&b.complete, s)
		add(&b.unevaluated, unevaluated{schema: s})
	}
	return true
}

// evaluate goes on with what waits for the choices; false when the case
// contradicts itself. It may leave new choices.
func (b *branch) evaluate() bool {
	for len(b.complete) > 0 {
		s := b.complete[0]
		b.complete = b.complete[1:]
		for _, part := range annotating(s) {
			if !b.decidePart(part) {
				return false
			}
		}
	}
	if len(b.choices) > 0 || len(b.unevaluated) == 0 {
		return true
	}
	next := b.unevaluated[0]
	b.unevaluated = b.unevaluated[1:]
	l := b.keep(b.evaluated(next.schema))
	if next.refused {
		l = -l
	}
	return b.assume(l) && b.evaluate()
}

// annotating are the parts of a schema that may look at members or elements.
func annotating(s *jsonschema.Schema) []*jsonschema.Schema {
	without := *s
	without.Not = nil
	return inPlace(&without)
}

// decidePart makes the case say whether a part holds, and its own parts if so.
func (b *branch) decidePart(part *jsonschema.Schema) bool {
	l := b.keep(part)
	and := func(b *branch) bool { add(&b.complete, part); return true }
	switch {
	case b.signs[l]:
		return and(b)
	case b.signs[-l]:
		return true
	}
	return b.choose(choice{options: []option{
		{literals: []literal{l}, constraints: []constraint{and}},
		{literals: []literal{-l}},
	}})
}

// evaluated is what an unevaluated keyword asks in a case that is decided, in
// words of additionalProperties and items.
func (b *branch) evaluated(s *jsonschema.Schema) *jsonschema.Schema {
	e := &evaluation{branch: b, names: map[string]bool{}, patterns: map[string]bool{}}
	e.own(s)
	e.parts(s)
	if b.kind == objectKind {
		return e.object(s.UnevaluatedProperties)
	}
	return e.array(s.UnevaluatedItems)
}

type evaluation struct {
	*branch
	all      bool
	names    map[string]bool
	patterns map[string]bool
	prefix   int
	contains []*jsonschema.Schema
}

func (e *evaluation) own(s *jsonschema.Schema) {
	if e.kind == objectKind {
		for name := range s.Properties {
			e.names[name] = true
		}
		for re := range s.PatternProperties {
			e.patterns[re.String()] = true
		}
		e.all = e.all || s.AdditionalProperties != nil
		return
	}
	e.prefix = max(e.prefix, len(s.PrefixItems))
	e.all = e.all || s.Items2020 != nil
	if s.Contains != nil {
		e.contains = append(e.contains, s.Contains)
	}
}

func (e *evaluation) parts(s *jsonschema.Schema) {
	for _, part := range annotating(s) {
		if e.signs[e.keep(part)] && e.applies(s, part) {
			e.own(part)
			e.parts(part)
			e.all = e.all || e.kind == objectKind && part.UnevaluatedProperties != nil || e.kind == arrayKind && part.UnevaluatedItems != nil
		}
	}
}

// applies reports whether a part that holds is one that the schema asks: then,
// else and dependentSchemas are asked on a condition.
func (e *evaluation) applies(s, part *jsonschema.Schema) bool {
	conditional := false
	if part == s.Then || part == s.Else {
		conditional = true
		if held := e.signs[e.keep(s.If)]; part == s.Then && held || part == s.Else && !held {
			return true
		}
	}
	for name, dependent := range s.DependentSchemas {
		if part == dependent {
			conditional = true
			if slices.Contains(e.branch.object.present, name) {
				return true
			}
		}
	}
	return !conditional
}

func (e *evaluation) object(rest *jsonschema.Schema) *jsonschema.Schema {
	if e.all {
		return booleanSchema(true)
	}
	s := &jsonschema.Schema{
		DraftVersion: latest, Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: rest,
		PatternProperties: map[jsonschema.Regexp]*jsonschema.Schema{},
	}
	for name := range e.names {
		s.Properties[name] = booleanSchema(true)
	}
	for _, pattern := range sortedNames(e.patterns) {
		if re, err := regexp.Compile(pattern); err == nil {
			s.PatternProperties[re] = booleanSchema(true)
		}
	}
	return s
}

func (e *evaluation) array(rest *jsonschema.Schema) *jsonschema.Schema {
	if e.all {
		return booleanSchema(true)
	}
	s := &jsonschema.Schema{DraftVersion: latest, Items2020: rest}
	for range e.prefix {
		s.PrefixItems = append(s.PrefixItems, booleanSchema(true))
	}
	if len(e.contains) > 0 {
		s.Items2020 = &jsonschema.Schema{DraftVersion: latest, AnyOf: append(e.contains, rest)}
	}
	return s
}

func withoutUnevaluated(s *jsonschema.Schema) *jsonschema.Schema {
	without := *s
	without.UnevaluatedItems, without.UnevaluatedProperties = nil, nil
	return &without
}
