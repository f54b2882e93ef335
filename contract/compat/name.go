package compat

import (
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fits reports whether the selector takes a known name.
func (m *objectMaker) fits(s selector, name string) bool {
	if s.exact != nil {
		return *s.exact == name
	}
	return !slices.Contains(s.notNames, name) &&
		!slices.ContainsFunc(s.in, func(p string) bool { return !m.matches(p, name) }) &&
		!slices.ContainsFunc(s.notIn, func(p string) bool { return m.matches(p, name) }) &&
		m.solves(name, newProblem(s.named...))
}

// fresh offers a name that nobody mentions for each set of patterns that it may
// match, with the rules for its value.
func (m *objectMaker) fresh(s selector, used []string, try func(string, problem) bool) {
	var free []string
	for _, p := range m.patterns {
		if !slices.Contains(s.in, p) && !slices.Contains(s.notIn, p) {
			free = append(free, p)
		}
	}
	if len(free) > maxFreePatterns {
		m.note(m.unsure("too many patterns of names overlap"))
		return
	}
	for chosen := range 1 << len(free) {
		in, notIn := slices.Clone(s.in), slices.Clone(s.notIn)
		for i, p := range free {
			if chosen>>i&1 == 1 {
				in = append(in, p)
			} else {
				notIn = append(notIn, p)
			}
		}
		a := m.child(m.nameProblem(in, notIn, used, s.named), stringKind)
		m.note(a)
		if a.state != found {
			continue
		}
		p := m.valueOf(func(*jsonschema.Schema) (*jsonschema.Schema, bool) { return nil, false },
			func(pattern string) bool { return slices.Contains(in, pattern) })
		if try(a.value.(string), p) {
			return
		}
	}
}

func (m *objectMaker) nameProblem(in, notIn, used []string, named []literal) problem {
	p := slices.Concat(m.object.names, named)
	for _, pattern := range in {
		p = append(p, m.keep(matching(pattern)))
	}
	for _, pattern := range notIn {
		p = append(p, m.refuse(matching(pattern)))
	}
	if len(used) > 0 {
		p = append(p, m.refuse(oneOfNames(used)))
	}
	return newProblem(p...)
}

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
