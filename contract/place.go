package contract

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Place is where a value stands in an event, with the schemas that can apply to it: a
// [Field] describes all that a schema allows, a place follows one value, whatever its
// names hold and however deep it lies. The zero Place is not known.
type Place struct {
	schemas schemas
	set     *schemaSet
}

// Place returns where a field of the envelope stands, such as payload.
func (e *Event) Place(envelopeField string) Place {
	return Place{applying(e.schema), e.schemas}.Member(envelopeField)
}

// Known reports whether the contract says anything of a value there.
func (p Place) Known() bool { return len(p.schemas) > 0 }

// PII reports whether the contract marks a value there as personal data, in any of
// its forms.
func (p Place) PII() bool {
	return slices.ContainsFunc(p.schemas, func(s *jsonschema.Schema) bool { return p.set.node(s.Location)[piiKeyword] == true })
}

// Member is the place of what an object there holds under a name.
func (p Place) Member(name string) Place {
	return p.inside(func(s *jsonschema.Schema) schemas { return memberAt(s, name) },
		func(s *jsonschema.Schema) *jsonschema.Schema { return s.UnevaluatedProperties })
}

// Element is the place of what a list there holds at an index from 0.
func (p Place) Element(i int) Place {
	return p.inside(func(s *jsonschema.Schema) schemas { return elementAt(s, i) },
		func(s *jsonschema.Schema) *jsonschema.Schema { return s.UnevaluatedItems })
}

// inside is what the schemas of a place say, or else what they say of the rest.
func (p Place) inside(of func(*jsonschema.Schema) schemas, rest func(*jsonschema.Schema) *jsonschema.Schema) Place {
	var found, others schemas
	for _, s := range p.schemas {
		found, others = append(found, of(s)...), append(others, rest(s))
	}
	if len(found) == 0 {
		found = others
	}
	return Place{applying(found...), p.set}
}

func memberAt(s *jsonschema.Schema, name string) (found schemas) {
	if named := s.Properties[name]; named != nil {
		found = append(found, named)
	}
	for pattern, values := range s.PatternProperties {
		if pattern.MatchString(name) {
			found = append(found, values)
		}
	}
	if values, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && found == nil {
		found = append(found, values)
	}
	return found
}

func elementAt(s *jsonschema.Schema, i int) schemas {
	switch {
	case i < len(s.PrefixItems):
		return schemas{s.PrefixItems[i]}
	case s.Items2020 != nil:
		return schemas{s.Items2020}
	}
	return nil
}

// applying are schemas and those that they apply to the same value, in each of its
// forms.
func applying(all ...*jsonschema.Schema) (found schemas) {
	seen := map[*jsonschema.Schema]bool{nil: true}
	for len(all) > 0 {
		s := all[0]
		all = all[1:]
		if seen[s] {
			continue
		}
		seen[s] = true
		found = append(found, s)
		all = append(all, s.Ref, s.Then, s.Else)
		all = slices.Concat(all, s.AllOf, s.AnyOf, s.OneOf)
		for _, when := range s.DependentSchemas {
			all = append(all, when)
		}
	}
	return found
}
