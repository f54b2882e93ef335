package compat

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// applyPolicy changes the two schemas as the options say: what the writer is
// trusted to leave out, what the reader is trusted to bear.
func applyPolicy(from, to *jsonschema.Schema, o Options) (writer, reader *jsonschema.Schema, lost string) {
	if o.AppliesDefaults {
		for _, s := range reachable([]*jsonschema.Schema{to}) {
			fillDefaults(s)
		}
	}
	if !o.Evolvable {
		return from, to, ""
	}
	for _, s := range reachable([]*jsonschema.Schema{to}) {
		if len(s.Properties) == 0 {
			continue
		}
		if !typesOthers(s.AdditionalProperties) {
			s.AdditionalProperties = nil
		}
		if !typesOthers(s.UnevaluatedProperties) {
			s.UnevaluatedProperties = nil
		}
	}
	return closed(from), to, ""
}

// typesOthers reports whether a schema of all other properties says what they
// are like. Those are declared as much as if they had names.
func typesOthers(others any) bool {
	s, ok := others.(*jsonschema.Schema)
	if !ok || s == nil || s.Bool != nil {
		return false
	}
	says, _ := describe(s)
	return len(says) > 0
}

// fillDefaults takes from the required names those that the reader fills in.
func fillDefaults(s *jsonschema.Schema) {
	s.Required = slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool {
		property := s.Properties[name]
		return property != nil && property.Default != nil
	})
}

// closed returns the schema with every object in it that declares properties
// closed to others. What counts is what any part of the schema declares for the
// same object.
func closed(root *jsonschema.Schema) *jsonschema.Schema {
	c := closer{}
	for _, s := range reachable([]*jsonschema.Schema{root}) {
		for name, part := range s.Properties {
			s.Properties[name] = c.close(part)
		}
		for re, part := range s.PatternProperties {
			s.PatternProperties[re] = c.close(part)
		}
		for i, part := range s.PrefixItems {
			s.PrefixItems[i] = c.close(part)
		}
		s.Items2020 = c.close(s.Items2020)
		if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			s.AdditionalProperties = c.close(additional)
		}
	}
	return c.close(root)
}

// closer remembers the closed form of each schema.
type closer map[*jsonschema.Schema]*jsonschema.Schema

func (c closer) close(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil {
		return nil
	}
	if made, ok := c[s]; ok {
		return made
	}
	made := &jsonschema.Schema{DraftVersion: latest, AllOf: []*jsonschema.Schema{s}}
	if names, patterns := declared(s); len(names) > 0 {
		made.Properties, made.PatternProperties, made.AdditionalProperties = names, patterns, booleanSchema(false)
	}
	c[s] = made
	return made
}

// declared are the names and patterns that a schema and its parts declare for
// one object, none where a part declares every other name.
func declared(s *jsonschema.Schema) (map[string]*jsonschema.Schema, map[jsonschema.Regexp]*jsonschema.Schema) {
	names, patterns := map[string]*jsonschema.Schema{}, map[jsonschema.Regexp]*jsonschema.Schema{}
	seen := map[*jsonschema.Schema]bool{}
	open := false
	var collect func(s *jsonschema.Schema)
	collect = func(s *jsonschema.Schema) {
		if seen[s] {
			return
		}
		seen[s] = true
		open = open || typesOthers(s.AdditionalProperties) || typesOthers(s.UnevaluatedProperties)
		for name := range s.Properties {
			names[name] = booleanSchema(true)
		}
		for _, name := range s.Required {
			if len(s.Properties) > 0 {
				names[name] = booleanSchema(true)
			}
		}
		for re := range s.PatternProperties {
			patterns[re] = booleanSchema(true)
		}
		for _, part := range inPlace(s) {
			collect(part)
		}
	}
	collect(s)
	if open {
		return nil, nil
	}
	return names, patterns
}
