package compat

import (
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// matching is the schema of the strings that match a pattern which the validator
// has compiled before.
func matching(pattern string) *jsonschema.Schema {
	s := &jsonschema.Schema{DraftVersion: latest, Types: typesOf("string")}
	if re, err := regexp.Compile(pattern); err == nil {
		s.Pattern = re
	}
	return s
}

func oneOfNames(names []string) *jsonschema.Schema {
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = name
	}
	return enumOf(values)
}

func enumOf(values []any) *jsonschema.Schema {
	s := &jsonschema.Schema{DraftVersion: latest}
	for i := range values {
		s.AnyOf = append(s.AnyOf, &jsonschema.Schema{DraftVersion: latest, Const: &values[i]})
	}
	return s
}
