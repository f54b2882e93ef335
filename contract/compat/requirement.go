package compat

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/internal/pointer"
)

// requirement is one thing that a schema asks of a document. A document keeps
// the schema when it keeps all its requirements.
type requirement struct {
	schema   *jsonschema.Schema // that asks this and nothing else
	rule     string
	name     string // that is required
	path     string // in a document
	location string // in the schema, of the keyword
}

const (
	maxRequirements = 5000
	maxUnfolding    = 40
)

// splitter takes a schema apart along everything that asks for more of the same
// document or of one of its parts.
type splitter struct {
	all  []requirement
	open map[*jsonschema.Schema]bool
}

func requirements(s *jsonschema.Schema) []requirement {
	sp := &splitter{open: map[*jsonschema.Schema]bool{}}
	sp.split(s, spot{wrap: func(s *jsonschema.Schema) *jsonschema.Schema { return s }})
	return sp.all
}

// spot is a place in a document.
type spot struct {
	path string
	wrap func(*jsonschema.Schema) *jsonschema.Schema // from a schema of the place to one of the document
	// rule is what a schema that accepts nothing stands for here, and location
	// where it says so.
	rule, location string
}

func (at spot) inside(s *jsonschema.Schema, token, rule string, wrap func(*jsonschema.Schema) *jsonschema.Schema) spot {
	return spot{
		path: at.path + "/" + pointer.Escape(token),
		rule: rule, location: s.Location + "/" + rule,
		wrap: func(s *jsonschema.Schema) *jsonschema.Schema { return at.wrap(wrap(s)) },
	}
}

func (sp *splitter) add(s *jsonschema.Schema, at spot, rule string, only *jsonschema.Schema) {
	only.DraftVersion = latest
	sp.all = append(sp.all, requirement{schema: at.wrap(only), rule: rule, path: at.path, location: s.Location + "/" + rule})
}

func (sp *splitter) split(s *jsonschema.Schema, at spot) {
	switch {
	case s.Bool != nil && *s.Bool:
		return
	case s.Bool != nil && at.rule != "":
		sp.all = append(sp.all, requirement{schema: at.wrap(s), rule: at.rule, path: at.path, location: at.location})
		return
	case s.Bool != nil || sp.open[s] || len(sp.open) > maxUnfolding || len(sp.all) > maxRequirements:
		sp.all = append(sp.all, requirement{schema: at.wrap(s), rule: "schema", path: at.path, location: s.Location})
		return
	}
	sp.open[s] = true
	defer delete(sp.open, s)
	if s.Ref != nil {
		sp.split(s.Ref, at)
	}
	for _, part := range s.AllOf {
		sp.split(part, at)
	}
	sp.values(s, at)
	sp.choices(s, at)
	sp.object(s, at)
	sp.array(s, at)
}

func (sp *splitter) values(s *jsonschema.Schema, at spot) {
	value := func(is bool, rule string, say func(only *jsonschema.Schema)) {
		if is {
			only := &jsonschema.Schema{}
			say(only)
			sp.add(s, at, rule, only)
		}
	}
	value(s.Types != nil, "type", func(only *jsonschema.Schema) { only.Types = s.Types })
	value(s.Enum != nil, "enum", func(only *jsonschema.Schema) { only.Enum = s.Enum })
	value(s.Const != nil, "const", func(only *jsonschema.Schema) { only.Const = s.Const })
	value(s.Format != nil, "format", func(only *jsonschema.Schema) { only.Format = s.Format })
	value(s.Minimum != nil, "minimum", func(only *jsonschema.Schema) { only.Minimum = s.Minimum })
	value(s.Maximum != nil, "maximum", func(only *jsonschema.Schema) { only.Maximum = s.Maximum })
	value(s.ExclusiveMinimum != nil, "exclusiveMinimum", func(only *jsonschema.Schema) { only.ExclusiveMinimum = s.ExclusiveMinimum })
	value(s.ExclusiveMaximum != nil, "exclusiveMaximum", func(only *jsonschema.Schema) { only.ExclusiveMaximum = s.ExclusiveMaximum })
	value(s.MultipleOf != nil, "multipleOf", func(only *jsonschema.Schema) { only.MultipleOf = s.MultipleOf })
	value(s.MinLength != nil, "minLength", func(only *jsonschema.Schema) { only.MinLength = s.MinLength })
	value(s.MaxLength != nil, "maxLength", func(only *jsonschema.Schema) { only.MaxLength = s.MaxLength })
	value(s.Pattern != nil, "pattern", func(only *jsonschema.Schema) { only.Pattern = s.Pattern })
	value(s.MinItems != nil, "minItems", func(only *jsonschema.Schema) { only.MinItems = s.MinItems })
	value(s.MaxItems != nil, "maxItems", func(only *jsonschema.Schema) { only.MaxItems = s.MaxItems })
	value(s.UniqueItems, "uniqueItems", func(only *jsonschema.Schema) { only.UniqueItems = s.UniqueItems })
	value(s.MinProperties != nil, "minProperties", func(only *jsonschema.Schema) { only.MinProperties = s.MinProperties })
	value(s.MaxProperties != nil, "maxProperties", func(only *jsonschema.Schema) { only.MaxProperties = s.MaxProperties })
}

func (sp *splitter) choices(s *jsonschema.Schema, at spot) {
	if s.Not != nil {
		sp.add(s, at, "not", &jsonschema.Schema{Not: s.Not})
	}
	if len(s.AnyOf) == 1 {
		sp.split(s.AnyOf[0], at)
	} else if len(s.AnyOf) > 1 {
		sp.add(s, at, "anyOf", &jsonschema.Schema{AnyOf: s.AnyOf})
	}
	if len(s.OneOf) == 1 {
		sp.split(s.OneOf[0], at)
	} else if len(s.OneOf) > 1 {
		sp.add(s, at, "oneOf", &jsonschema.Schema{OneOf: s.OneOf})
	}
	if s.If != nil && s.Then != nil {
		sp.add(s, at, "then", &jsonschema.Schema{If: s.If, Then: s.Then})
	}
	if s.If != nil && s.Else != nil {
		sp.add(s, at, "else", &jsonschema.Schema{If: s.If, Else: s.Else})
	}
}

func (sp *splitter) object(s *jsonschema.Schema, at spot) {
	for _, name := range s.Required {
		sp.add(s, at, "required", &jsonschema.Schema{Required: []string{name}})
		sp.all[len(sp.all)-1].name = name
	}
	if s.PropertyNames != nil {
		sp.add(s, at, "propertyNames", &jsonschema.Schema{PropertyNames: s.PropertyNames})
	}
	for _, name := range sortedNames(s.DependentRequired) {
		sp.add(s, at, "dependentRequired", &jsonschema.Schema{DependentRequired: map[string][]string{name: s.DependentRequired[name]}})
	}
	for _, name := range sortedNames(s.DependentSchemas) {
		sp.add(s, at, "dependentSchemas", &jsonschema.Schema{DependentSchemas: map[string]*jsonschema.Schema{name: s.DependentSchemas[name]}})
	}
	for _, name := range sortedNames(s.Properties) {
		sp.split(s.Properties[name], at.inside(s, name, "properties", func(sub *jsonschema.Schema) *jsonschema.Schema {
			return &jsonschema.Schema{DraftVersion: latest, Properties: map[string]*jsonschema.Schema{name: sub}}
		}))
	}
	for _, re := range sortedPatterns(s.PatternProperties) {
		sp.split(s.PatternProperties[re], at.inside(s, "*", "patternProperties", func(sub *jsonschema.Schema) *jsonschema.Schema {
			return &jsonschema.Schema{DraftVersion: latest, PatternProperties: map[jsonschema.Regexp]*jsonschema.Schema{re: sub}}
		}))
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		sp.split(additional, at.inside(s, "*", "additionalProperties", func(sub *jsonschema.Schema) *jsonschema.Schema {
			return additionalOnly(s, sub)
		}))
	}
	if s.UnevaluatedProperties != nil {
		sp.add(s, at, "unevaluatedProperties", copyOf(s))
	}
}

// additionalOnly asks nothing of the members that the schema declares.
func additionalOnly(s, additional *jsonschema.Schema) *jsonschema.Schema {
	only := &jsonschema.Schema{
		DraftVersion: latest, Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: additional,
		PatternProperties: map[jsonschema.Regexp]*jsonschema.Schema{},
	}
	for name := range s.Properties {
		only.Properties[name] = booleanSchema(true)
	}
	for re := range s.PatternProperties {
		only.PatternProperties[re] = booleanSchema(true)
	}
	return only
}

func copyOf(s *jsonschema.Schema) *jsonschema.Schema {
	c := *s
	return &c
}

func (sp *splitter) array(s *jsonschema.Schema, at spot) {
	if s.Contains != nil {
		sp.add(s, at, "contains", &jsonschema.Schema{Contains: s.Contains, MinContains: s.MinContains})
		if s.MaxContains != nil {
			none := 0
			sp.add(s, at, "maxContains", &jsonschema.Schema{Contains: s.Contains, MinContains: &none, MaxContains: s.MaxContains})
		}
	}
	for i, part := range s.PrefixItems {
		sp.split(part, at.inside(s, fmt.Sprint(i), "prefixItems", func(sub *jsonschema.Schema) *jsonschema.Schema {
			only := &jsonschema.Schema{DraftVersion: latest}
			for range i {
				only.PrefixItems = append(only.PrefixItems, booleanSchema(true))
			}
			only.PrefixItems = append(only.PrefixItems, sub)
			return only
		}))
	}
	if s.Items2020 != nil {
		n := len(s.PrefixItems)
		sp.split(s.Items2020, at.inside(s, "*", "items", func(sub *jsonschema.Schema) *jsonschema.Schema {
			only := &jsonschema.Schema{DraftVersion: latest, Items2020: sub}
			for range n {
				only.PrefixItems = append(only.PrefixItems, booleanSchema(true))
			}
			return only
		}))
	}
	if s.UnevaluatedItems != nil {
		sp.add(s, at, "unevaluatedItems", copyOf(s))
	}
}
