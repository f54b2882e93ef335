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
		if len(s.Properties) > 0 {
			s.AdditionalProperties, s.UnevaluatedProperties = nil, nil
		}
	}
	return closed(from), to, ""
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
	seen := map[*jsonschema.Schema]*jsonschema.Schema{}
	var within func(s *jsonschema.Schema) *jsonschema.Schema
	within = func(s *jsonschema.Schema) *jsonschema.Schema {
		if s == nil {
			return nil
		}
		if made, ok := seen[s]; ok {
			return made
		}
		made := &jsonschema.Schema{DraftVersion: latest, AllOf: []*jsonschema.Schema{s}}
		seen[s] = made
		if names, patterns := declared(s); len(names) > 0 {
			*made = jsonschema.Schema{DraftVersion: latest, AllOf: made.AllOf, Properties: names, PatternProperties: patterns, AdditionalProperties: booleanSchema(false)}
		}
		return made
	}
	for _, s := range reachable([]*jsonschema.Schema{root}) {
		for name, part := range s.Properties {
			s.Properties[name] = within(part)
		}
		for re, part := range s.PatternProperties {
			s.PatternProperties[re] = within(part)
		}
		for i, part := range s.PrefixItems {
			s.PrefixItems[i] = within(part)
		}
		s.Items2020 = within(s.Items2020)
		if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			s.AdditionalProperties = within(additional)
		}
	}
	return within(root)
}

// declared are the names and patterns that a schema and its parts declare for
// one object.
func declared(s *jsonschema.Schema) (map[string]*jsonschema.Schema, map[jsonschema.Regexp]*jsonschema.Schema) {
	names, patterns := map[string]*jsonschema.Schema{}, map[jsonschema.Regexp]*jsonschema.Schema{}
	seen := map[*jsonschema.Schema]bool{}
	var collect func(s *jsonschema.Schema)
	collect = func(s *jsonschema.Schema) {
		if seen[s] {
			return
		}
		seen[s] = true
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
	return names, patterns
}
