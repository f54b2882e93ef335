package contract

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/wire"
)

// maxShapes bounds what overlapping schemas multiply to.
const maxShapes = 4096

// shapeOf returns the shape of all values that surely keep the schema, nil where
// the schema says more than a shape can. It starts from the validator's own
// reading of the schema: what that drops, such as an unknown keyword, it never
// judges by.
func shapeOf(schema *jsonschema.Schema) *shape {
	c := &shaper{
		ids: map[*jsonschema.Schema]int{}, shapes: map[string]*shape{},
		patterns: map[*regexp.Regexp]*wire.Pattern{}, never: &jsonschema.Schema{Bool: new(bool)}, unsayable: unsayable(),
	}
	visits := map[*jsonschema.Schema]visit{}
	for _, s := range reachable(schema) {
		if !c.plain(s) || circular(s, visits) {
			return nil
		}
	}
	if whole := c.shape(schema); !c.lost {
		return whole
	}
	return nil
}

type shaper struct {
	ids      map[*jsonschema.Schema]int
	shapes   map[string]*shape // by the schemas that a shape merges
	patterns map[*regexp.Regexp]*wire.Pattern
	never    *jsonschema.Schema
	lost     bool // something turned up that a shape cannot say
	// unsayable are the fields of a schema that a shape cannot say.
	unsayable []int
}

func unsayable() (fields []int) {
	t := reflect.TypeFor[jsonschema.Schema]()
	for i := range t.NumField() {
		if field := t.Field(i); field.IsExported() && !sayable(field.Name) {
			fields = append(fields, i)
		}
	}
	return fields
}

type visit uint8

const (
	begun visit = iota + 1
	ended
)

// circular reports whether a schema applies to a value again before anything of
// the value was passed. The validator refuses every such value.
func circular(s *jsonschema.Schema, visits map[*jsonschema.Schema]visit) bool {
	if visits[s] != 0 {
		return visits[s] == begun
	}
	visits[s] = begun
	for _, part := range inPlace(s) {
		if circular(part, visits) {
			return true
		}
	}
	visits[s] = ended
	return false
}

// inPlace are the schemas that apply to the same value.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat(s.AllOf, s.AnyOf, s.OneOf)
	if s.Ref != nil {
		all = append(all, s.Ref)
	}
	return all
}

// plain reports whether the schema itself uses nothing but what a shape can say.
// It asks for every field that is not sayable, so that a keyword which the
// validator learns one day is unknown here.
func (c *shaper) plain(s *jsonschema.Schema) bool {
	v := reflect.ValueOf(s).Elem()
	for _, i := range c.unsayable {
		if !v.Field(i).IsZero() {
			return false
		}
	}
	if s.Format != nil && !wire.IsTextFormat(s.Format.Name) {
		return false
	}
	return s.DraftVersion == 2020 && isGoPattern(s.Pattern) &&
		!slices.ContainsFunc(slices.Collect(maps.Keys(s.PatternProperties)), func(p jsonschema.Regexp) bool { return !isGoPattern(p) })
}

func sayable(keyword string) bool {
	switch keyword {
	case "DraftVersion", "Location", "ID", "Anchor", "Bool", "Ref", "AllOf", "AnyOf", "OneOf",
		"Types", "Enum", "Const", "Format", "MinLength", "MaxLength", "Pattern",
		"Minimum", "Maximum", "ExclusiveMinimum", "ExclusiveMaximum", "MultipleOf",
		"Properties", "PatternProperties", "AdditionalProperties", "Required", "MinProperties", "MaxProperties",
		"PrefixItems", "Items2020", "MinItems", "MaxItems", "UniqueItems",
		"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated":
		return true
	}
	return false
}

func isGoPattern(p jsonschema.Regexp) bool {
	_, ok := p.(*regexp.Regexp)
	return ok || p == nil
}

// shape merges the schemas and all that they apply in place. A shape stands in
// the map before it is filled: schemas refer to themselves.
func (c *shaper) shape(schemas ...*jsonschema.Schema) *shape {
	var all []*jsonschema.Schema
	for _, s := range schemas {
		all = gatherParts(all, s)
	}
	key := c.key(all)
	if made, ok := c.shapes[key]; ok {
		return made
	}
	made := newShape()
	if len(c.shapes) == maxShapes {
		c.lost = true
		return made
	}
	c.shapes[key] = made
	for _, s := range all {
		c.addScalars(made, s)
	}
	made.anyText = len(made.choices)+len(made.patterns)+len(made.formats)+made.minLength == 0 && made.maxLength == math.MaxInt
	made.anyNumber = len(made.choices)+len(made.limits) == 0 && made.kinds&kindNumber == kindNumber
	if made.kinds&kindObject != 0 {
		c.addMembers(made, all)
	}
	if made.kinds&kindArray != 0 {
		c.addElements(made, all)
	}
	for _, s := range all {
		c.addForms(made, s)
	}
	return made
}

func gatherParts(all []*jsonschema.Schema, s *jsonschema.Schema) []*jsonschema.Schema {
	if slices.Contains(all, s) || s.Bool != nil && *s.Bool {
		return all
	}
	all = append(all, s)
	if s.Ref != nil {
		all = gatherParts(all, s.Ref)
	}
	for _, part := range s.AllOf {
		all = gatherParts(all, part)
	}
	return all
}

func (c *shaper) key(all []*jsonschema.Schema) string {
	ids := make([]int, len(all))
	for i, s := range all {
		if c.ids[s] == 0 {
			c.ids[s] = len(c.ids) + 1
		}
		ids[i] = c.ids[s]
	}
	slices.Sort(ids)
	return fmt.Sprint(ids)
}

// addForms adds anyOf, and oneOf where no value can have two of the forms.
func (c *shaper) addForms(to *shape, s *jsonschema.Schema) {
	for i, forms := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		var shapes []*shape
		var met kinds
		for _, form := range forms {
			one := c.shape(form)
			if i == 1 && met&one.kinds != 0 {
				c.lost = true
			}
			met |= one.kinds
			shapes = append(shapes, one)
		}
		if len(shapes) > 0 {
			to.either = append(to.either, shapes)
		}
	}
}
