package compat

import (
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// hold adds what a schema asks of a document that keeps it.
func (b *branch) hold(s *jsonschema.Schema) bool {
	if s.Bool != nil {
		return *s.Bool
	}
	return b.holdType(s) && b.holdValues(s) && b.holdParts(s) && b.holdKind(s) && b.holdUnevaluated(s)
}

func (b *branch) holdType(s *jsonschema.Schema) bool {
	if s.Types == nil || s.Types.IsEmpty() {
		return true
	}
	kinds, whole := kindsOf(s)
	if whole && b.kind == numberKind {
		add(&b.number.multiples, big.NewRat(1, 1))
	}
	return kinds&b.kind != 0
}

// kindsOf returns the kinds that a type keyword names, and whether the numbers
// among them are whole.
func kindsOf(s *jsonschema.Schema) (kinds kind, whole bool) {
	names := s.Types.ToStrings()
	for _, name := range names {
		switch name {
		case "null":
			kinds |= nullKind
		case "boolean":
			kinds |= booleanKind
		case "number", "integer":
			kinds |= numberKind
		case "string":
			kinds |= stringKind
		case "array":
			kinds |= arrayKind
		case "object":
			kinds |= objectKind
		}
	}
	return kinds, slices.Contains(names, "integer") && !slices.Contains(names, "number")
}

// holdValues narrows the documents to those of an enum; the problem itself says
// which of them will do.
func (b *branch) holdValues(s *jsonschema.Schema) bool {
	if s.Enum != nil && (!b.isFinite || len(s.Enum.Values) < len(b.finite)) {
		b.finite, b.isFinite = s.Enum.Values, true
	}
	if s.Const != nil {
		b.finite, b.isFinite = []any{*s.Const}, true
	}
	return true
}

func (b *branch) holdParts(s *jsonschema.Schema) bool {
	if s.Ref != nil && !b.assume(b.keep(s.Ref)) {
		return false
	}
	for _, part := range s.AllOf {
		if !b.assume(b.keep(part)) {
			return false
		}
	}
	if s.Not != nil && !b.assume(b.refuse(s.Not)) {
		return false
	}
	if len(s.AnyOf) > 0 {
		var options []option
		for _, part := range s.AnyOf {
			options = append(options, option{literals: []literal{b.keep(part)}})
		}
		if !b.choose(choice{options: options}) {
			return false
		}
	}
	if len(s.OneOf) > 0 && !b.choose(choice{options: b.exactlyOne(s.OneOf)}) {
		return false
	}
	if s.If != nil {
		return b.choose(choice{options: []option{
			{literals: b.literals(true, s.If, s.Then)},
			{literals: append([]literal{b.refuse(s.If)}, b.literals(true, s.Else)...)},
		}})
	}
	return true
}

// literals leaves out the parts that a schema does not have.
func (b *branch) literals(keep bool, parts ...*jsonschema.Schema) []literal {
	var all []literal
	for _, part := range parts {
		switch {
		case part == nil:
		case keep:
			all = append(all, b.keep(part))
		default:
			all = append(all, b.refuse(part))
		}
	}
	return all
}

// exactlyOne: two branches that are the same schema never hold alone.
func (b *branch) exactlyOne(parts []*jsonschema.Schema) []option {
	var options []option
	for i, part := range parts {
		o := option{literals: []literal{b.keep(part)}}
		for j, other := range parts {
			if i != j {
				o.literals = append(o.literals, b.refuse(other))
			}
		}
		options = append(options, o)
	}
	return options
}

func (b *branch) holdKind(s *jsonschema.Schema) bool {
	switch b.kind {
	case numberKind:
		return b.holdNumber(s)
	case stringKind:
		return b.holdText(s)
	case arrayKind:
		return b.holdArray(s)
	case objectKind:
		return b.holdObject(s)
	}
	return true
}

func (b *branch) holdNumber(s *jsonschema.Schema) bool {
	for _, c := range []struct {
		at   *big.Rat
		add  func(*big.Rat, bool) constraint
		open bool
	}{{s.Minimum, atLeast, false}, {s.ExclusiveMinimum, atLeast, true}, {s.Maximum, atMost, false}, {s.ExclusiveMaximum, atMost, true}} {
		if c.at != nil && !c.add(c.at, c.open)(b) {
			return false
		}
	}
	return s.MultipleOf == nil || multipleOf(s.MultipleOf)(b)
}

func (b *branch) holdText(s *jsonschema.Schema) bool {
	if s.MinLength != nil && !minLength(*s.MinLength)(b) || s.MaxLength != nil && !maxLength(*s.MaxLength)(b) {
		return false
	}
	if s.Pattern != nil {
		add(&b.text.patterns, s.Pattern.String())
	}
	if s.Format != nil {
		add(&b.text.formats, s.Format)
	}
	return true
}

func (b *branch) holdArray(s *jsonschema.Schema) bool {
	if s.MinItems != nil && !minItems(*s.MinItems)(b) || s.MaxItems != nil && !maxItems(*s.MaxItems)(b) {
		return false
	}
	b.array.unique = b.array.unique || s.UniqueItems
	if len(s.PrefixItems) > 0 || s.Items2020 != nil {
		add(&b.array.rules, s)
	}
	if s.Contains == nil {
		return true
	}
	least := 1
	if s.MinContains != nil {
		least = *s.MinContains
	}
	if !countAtLeast(s.Contains, least)(b) {
		return false
	}
	return s.MaxContains == nil || countAtMost(s.Contains, *s.MaxContains)(b)
}

func (b *branch) holdObject(s *jsonschema.Schema) bool {
	if s.MinProperties != nil && !minMembers(*s.MinProperties)(b) || s.MaxProperties != nil && !maxMembers(*s.MaxProperties)(b) {
		return false
	}
	for _, name := range s.Required {
		if !present(name)(b) {
			return false
		}
	}
	if len(s.Properties) > 0 || len(s.PatternProperties) > 0 || s.AdditionalProperties != nil {
		add(&b.object.rules, s)
	}
	if s.PropertyNames != nil {
		add(&b.object.names, b.keep(s.PropertyNames))
	}
	return b.holdDependents(s)
}

func (b *branch) holdDependents(s *jsonschema.Schema) bool {
	for _, name := range sortedNames(s.DependentRequired) {
		with := option{constraints: []constraint{present(name)}}
		for _, other := range s.DependentRequired[name] {
			with.constraints = append(with.constraints, present(other))
		}
		if !b.choose(choice{options: []option{{constraints: []constraint{absent(name)}}, with}}) {
			return false
		}
	}
	for _, name := range sortedNames(s.DependentSchemas) {
		with := option{constraints: []constraint{present(name)}, literals: []literal{b.keep(s.DependentSchemas[name])}}
		if !b.choose(choice{options: []option{{constraints: []constraint{absent(name)}}, with}}) {
			return false
		}
	}
	return true
}
