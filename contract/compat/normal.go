package compat

import (
	"reflect"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// normalizer copies a compiled schema into the form that the engine knows: the
// keywords of draft 2020-12, references that lead to one schema whatever the
// scope, booleans as schemas. The copy is its own, so that options may change it.
type normalizer struct {
	root    *Schema
	options Options
	copies  map[*jsonschema.Schema]*jsonschema.Schema
	lost    string // what this package has no reading of
	unread  []int  // the fields of a schema that no rule reads
}

func normalizerOf(root *Schema, o Options) *normalizer {
	n := &normalizer{root: root, options: o, copies: map[*jsonschema.Schema]*jsonschema.Schema{}}
	t := reflect.TypeFor[jsonschema.Schema]()
	for i := range t.NumField() {
		if field := t.Field(i); field.IsExported() && !known(field.Name) {
			n.unread = append(n.unread, i)
		}
	}
	return n
}

func (n *normalizer) lose(reason string) {
	if n.lost == "" {
		n.lost = reason
	}
}

func (n *normalizer) schema(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil {
		return nil
	}
	if made, ok := n.copies[s]; ok {
		return made
	}
	made := *s
	n.copies[s] = &made
	n.checkKnown(s)
	n.references(&made)
	n.parts(&made)
	n.olderDrafts(&made, s.DraftVersion)
	if n.options.IgnoreFormats {
		made.Format = nil
	}
	return &made
}

func (n *normalizer) parts(s *jsonschema.Schema) {
	for _, part := range []**jsonschema.Schema{
		&s.Ref, &s.Not, &s.If, &s.Then, &s.Else, &s.PropertyNames,
		&s.UnevaluatedProperties, &s.Contains, &s.Items2020, &s.UnevaluatedItems,
	} {
		*part = n.schema(*part)
	}
	for _, list := range []*[]*jsonschema.Schema{&s.AllOf, &s.AnyOf, &s.OneOf, &s.PrefixItems} {
		*list = n.list(*list)
	}
	s.Properties = normalMap(n, s.Properties)
	s.PatternProperties = normalMap(n, s.PatternProperties)
	s.DependentSchemas = normalMap(n, s.DependentSchemas)
	s.AdditionalProperties = n.either(s.AdditionalProperties)
}

func (n *normalizer) list(all []*jsonschema.Schema) []*jsonschema.Schema {
	var made []*jsonschema.Schema
	for _, s := range all {
		made = append(made, n.schema(s))
	}
	return made
}

func normalMap[K comparable](n *normalizer, all map[K]*jsonschema.Schema) map[K]*jsonschema.Schema {
	if len(all) == 0 {
		return nil
	}
	made := make(map[K]*jsonschema.Schema, len(all))
	for name, s := range all {
		made[name] = n.schema(s)
	}
	return made
}

// either turns what the validator keeps as a boolean or a schema into a schema.
func (n *normalizer) either(value any) any {
	switch v := value.(type) {
	case bool:
		return booleanSchema(v)
	case *jsonschema.Schema:
		return n.schema(v)
	}
	return nil
}

func booleanSchema(accepts bool) *jsonschema.Schema {
	return &jsonschema.Schema{DraftVersion: latest, Bool: &accepts}
}

const latest = 2020

// refStandsAlone is the last draft in which nothing beside a $ref counts. The
// validator knows it, but keeps some of what stands there.
const refStandsAlone = 7

func (n *normalizer) olderDrafts(s *jsonschema.Schema, draft int) {
	s.DraftVersion = latest
	switch {
	case draft >= latest:
		return
	case draft <= refStandsAlone && s.Ref != nil:
		*s = jsonschema.Schema{DraftVersion: latest, Location: s.Location, Ref: s.Ref}
		return
	}
	if s.UnevaluatedItems != nil && s.Contains != nil {
		n.lose("unevaluatedItems beside contains means something else in draft 2019-09")
	}
	switch items := s.Items.(type) {
	case []*jsonschema.Schema:
		s.PrefixItems = n.list(items)
		if rest, ok := n.either(s.AdditionalItems).(*jsonschema.Schema); ok {
			s.Items2020 = rest
		}
	case *jsonschema.Schema:
		s.Items2020 = n.schema(items)
	}
	s.Items, s.AdditionalItems = nil, nil
	n.dependencies(s)
}

func (n *normalizer) dependencies(s *jsonschema.Schema) {
	for name, dependency := range s.Dependencies {
		switch d := dependency.(type) {
		case []string:
			if s.DependentRequired == nil {
				s.DependentRequired = map[string][]string{}
			}
			s.DependentRequired[name] = append(s.DependentRequired[name], d...)
		case *jsonschema.Schema:
			if s.DependentSchemas == nil {
				s.DependentSchemas = map[string]*jsonschema.Schema{}
			}
			s.DependentSchemas[name] = n.schema(d)
		}
	}
	s.Dependencies = nil
}

// references turns a reference that depends on the scope into a plain one. The
// root is in every scope, and the outermost scope wins.
func (n *normalizer) references(s *jsonschema.Schema) {
	var targets []*jsonschema.Schema
	if r := s.RecursiveRef; r != nil {
		switch {
		case !r.RecursiveAnchor:
			targets = append(targets, r)
		case n.root.compiled.RecursiveAnchor:
			targets = append(targets, n.root.compiled)
		default:
			n.lose("$recursiveRef leads to different schemas")
		}
	}
	if d := s.DynamicRef; d != nil {
		target := d.Ref
		if d.Anchor != "" && target.DynamicAnchor == d.Anchor {
			outermost, ok := n.root.dynamic[d.Anchor]
			if !ok {
				n.lose("$dynamicRef leads to different schemas")
			}
			if outermost != nil {
				target = outermost
			}
		}
		targets = append(targets, target)
	}
	s.RecursiveRef, s.DynamicRef = nil, nil
	for _, target := range targets {
		if s.Ref == nil {
			s.Ref = target
		} else {
			s.AllOf = append([]*jsonschema.Schema{target}, s.AllOf...)
		}
	}
}

// checkKnown asks for every field that is not known, so that a keyword which the
// validator learns one day is unknown here.
func (n *normalizer) checkKnown(s *jsonschema.Schema) {
	v := reflect.ValueOf(s).Elem()
	for _, i := range n.unread {
		if !v.Field(i).IsZero() {
			n.lose("it uses " + v.Type().Field(i).Name + ", which no rule reads")
		}
	}
}

func known(field string) bool {
	switch field {
	case "DraftVersion", "Location", "ID", "Bool", "Ref", "Anchor", "RecursiveRef", "RecursiveAnchor", "DynamicRef", "DynamicAnchor",
		"Types", "Enum", "Const", "Not", "AllOf", "AnyOf", "OneOf", "If", "Then", "Else", "Format",
		"MaxProperties", "MinProperties", "Required", "PropertyNames", "Properties", "PatternProperties", "AdditionalProperties",
		"Dependencies", "DependentRequired", "DependentSchemas", "UnevaluatedProperties",
		"MinItems", "MaxItems", "UniqueItems", "Contains", "MinContains", "MaxContains",
		"Items", "AdditionalItems", "PrefixItems", "Items2020", "UnevaluatedItems",
		"MinLength", "MaxLength", "Pattern", "Maximum", "Minimum", "ExclusiveMaximum", "ExclusiveMinimum", "MultipleOf",
		"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated":
		return true
	}
	return false
}

// inPlace are the schemas that apply to the same value.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, part := range []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else} {
		if part != nil {
			all = append(all, part)
		}
	}
	all = append(all, s.AllOf...)
	all = append(all, s.AnyOf...)
	all = append(all, s.OneOf...)
	for _, name := range sortedNames(s.DependentSchemas) {
		all = append(all, s.DependentSchemas[name])
	}
	return all
}
