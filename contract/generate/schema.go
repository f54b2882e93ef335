package generate

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract"
	"factline.dev/contract/wire"
)

// reading turns the schemas of one event into values. It collects what no Go type
// can say.
type reading struct {
	names    *names
	event    *contract.Event
	problems []error
}

func (r *reading) refuse(path, problem string, args ...any) {
	r.problems = append(r.problems, &InexpressibleError{
		EventType: r.event.Type, EventVersion: r.event.Version, Path: path, Problem: fmt.Sprintf(problem, args...),
	})
}

// place is where in an event a schema applies, and which of it is read.
type place struct {
	path string
	// owner and member name it in Go, where the schema has no name of its own.
	owner, member string
	reads         reads
}

// parts are all schemas that apply to a value: its own, and those that it refers
// to or joins by allOf. The nearest comes first.
func parts(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	var add func(*jsonschema.Schema)
	add = func(s *jsonschema.Schema) {
		if s == nil || slices.Contains(all, s) || s.Bool != nil && *s.Bool {
			return
		}
		all = append(all, s)
		add(s.Ref)
		for _, part := range s.AllOf {
			add(part)
		}
	}
	add(s)
	return all
}

func (r *reading) value(schemas []*jsonschema.Schema, at place) *value {
	v := &value{kind: kindRaw, rule: ruleName(schemas, at)}
	for _, s := range schemas {
		if word := inexpressible(s); word != "" {
			r.refuse(at.path, "uses %s, which no Go type says", word)
			return v
		}
	}
	types, typed := typesOf(schemas)
	if !typed {
		if slices.ContainsFunc(schemas, asks) {
			r.refuse(at.path, "has rules but no type")
		}
		return v
	}
	v.nullable = slices.Contains(types, "null") && allowsNull(schemas)
	types = slices.DeleteFunc(types, func(t string) bool { return t == "null" })
	if len(types) != 1 {
		r.refuse(at.path, "has %d types", len(types))
		return v
	}
	r.fill(v, types[0], schemas, at)
	return v
}

func (r *reading) fill(v *value, kind string, schemas []*jsonschema.Schema, at place) {
	switch kind {
	case "string":
		r.fillText(v, schemas, at)
	case "integer", "number":
		v.kind = kindNumber
		if kind == "integer" {
			v.kind = kindInteger
		}
		fillNumber(v, schemas)
	case "boolean":
		v.kind = kindBoolean
		if hasValues(schemas) {
			r.refuse(at.path, "is a boolean with one value")
		}
	case "array":
		v.kind = kindList
		r.fillList(v, schemas, at)
	default:
		r.fillObject(v, schemas, at)
	}
	if hasValues(schemas) && (v.kind == kindList || v.kind == kindObject || v.kind == kindMap) {
		r.refuse(at.path, "lists whole values of type %s", kind)
	}
}

// decimalPattern knows the patterns that only decimals match.
var decimalPattern = regexp.MustCompile(`^\^(-\?)?(\[0-9\]|\\d)(\+|\{[0-9]+(,[0-9]+)?\})\\\.(\[0-9\]|\\d)(\+|\{[0-9]+(,[0-9]+)?\})\$$`)

func (r *reading) fillText(v *value, schemas []*jsonschema.Schema, at place) {
	v.kind = kindText
	for _, s := range schemas {
		v.text.length.narrow(s.MinLength, s.MaxLength)
		if s.Pattern != nil {
			v.text.patterns = append(v.text.patterns, s.Pattern.String())
			if decimalPattern.MatchString(s.Pattern.String()) {
				v.kind = kindDecimal
			}
		}
		if s.Format != nil {
			v.text.formats = append(v.text.formats, s.Format.Name)
			if s.Format.Name == "date-time" {
				v.kind = kindInstant
			}
		}
		v.text.oneOf = narrowTexts(v.text.oneOf, s)
	}
	if v.text.oneOf != nil {
		v.kind = kindText
		if slices.ContainsFunc(schemas, func(s *jsonschema.Schema) bool { return s.Enum != nil }) {
			v.enum = r.names.enum(schemas, at, v.text.oneOf)
		}
	}
}

func narrowTexts(allowed []string, s *jsonschema.Schema) []string {
	for _, values := range valuesOf(s) {
		texts := []string{}
		for _, one := range values {
			if text, ok := one.(string); ok && (allowed == nil || slices.Contains(allowed, text)) {
				texts = append(texts, text)
			}
		}
		allowed = texts
	}
	return allowed
}

func fillNumber(v *value, schemas []*jsonschema.Schema) {
	for _, s := range schemas {
		for _, l := range []limit{
			{"AtLeast", s.Minimum}, {"AtMost", s.Maximum}, {"MoreThan", s.ExclusiveMinimum}, {"LessThan", s.ExclusiveMaximum}, {"MultipleOf", s.MultipleOf},
		} {
			if l.at != nil {
				v.number.limits = append(v.number.limits, l)
			}
		}
		for _, values := range valuesOf(s) {
			v.number.oneOf = narrowNumbers(v.number.oneOf, values)
		}
	}
	if v.number.oneOf != nil && !slices.ContainsFunc(v.number.oneOf, func(n *big.Rat) bool { return !n.IsInt() }) {
		v.kind = kindInteger
	}
}

func narrowNumbers(allowed []*big.Rat, values []any) []*big.Rat {
	numbers := []*big.Rat{}
	for _, one := range values {
		text, _ := one.(json.Number)
		exact, ok := new(big.Rat).SetString(text.String())
		same := func(other *big.Rat) bool { return other.Cmp(exact) == 0 }
		if ok && (allowed == nil || slices.ContainsFunc(allowed, same)) {
			numbers = append(numbers, exact)
		}
	}
	return numbers
}

func (r *reading) fillList(v *value, schemas []*jsonschema.Schema, at place) {
	var items []*jsonschema.Schema
	for _, s := range schemas {
		v.count.narrow(s.MinItems, s.MaxItems)
		v.unique = v.unique || s.UniqueItems
		items = append(items, parts(s.Items2020)...)
	}
	inner := at
	inner.path += "[]"
	inner.member = strings.TrimSuffix(at.member, "s")
	v.element = r.value(items, inner)
	if v.unique && (v.element.kind != kindText || v.element.nullable) {
		r.refuse(at.path, "is a set of something other than strings")
	}
}

// fillObject decides between a struct, for declared fields, and a map.
func (r *reading) fillObject(v *value, schemas []*jsonschema.Schema, at place) {
	declared, closed, others := map[string][]*jsonschema.Schema{}, false, []*jsonschema.Schema(nil)
	for _, s := range schemas {
		for name, property := range s.Properties {
			declared[name] = append(declared[name], parts(property)...)
		}
		v.count.narrow(s.MinProperties, s.MaxProperties)
		switch additional := s.AdditionalProperties.(type) {
		case *jsonschema.Schema:
			others = append(others, parts(additional)...)
		case bool:
			closed = closed || !additional
		}
	}
	switch {
	case slices.ContainsFunc(others, asks):
		if closed || len(requiredOf(schemas)) > 0 {
			r.refuse(at.path, "is a map with required names, or with other fields both described and forbidden")
		}
		r.fillMap(v, declared, others, at)
	case len(declared) == 0 && !closed && len(requiredOf(schemas)) == 0:
		v.kind, v.element = kindMap, &value{kind: kindRaw}
	case closed && len(schemas) > 1 && !closedAlone(schemas):
		r.refuse(at.path, "joins additionalProperties false with other schemas")
	default:
		v.kind = kindObject
		v.object = r.object(declared, closed, v.count, schemas, at)
	}
}

// closedAlone reports whether every schema that forbids other fields declares all.
func closedAlone(schemas []*jsonschema.Schema) bool {
	for _, s := range schemas {
		if additional, ok := s.AdditionalProperties.(bool); ok && !additional {
			for _, other := range schemas {
				for name := range other.Properties {
					if s.Properties[name] == nil {
						return false
					}
				}
			}
		}
	}
	return true
}

func (r *reading) fillMap(v *value, declared map[string][]*jsonschema.Schema, others []*jsonschema.Schema, at place) {
	inner := at
	inner.path += ".*"
	v.kind, v.element = kindMap, r.value(others, inner)
	for name, schemas := range declared {
		field := r.value(schemas, inner)
		field.rule = v.element.rule
		if !reflect.DeepEqual(field, v.element) {
			r.refuse(at.path, "declares %s beside additionalProperties of another type", name)
		}
	}
}

func requiredOf(schemas []*jsonschema.Schema) []string {
	var names []string
	for _, s := range schemas {
		for _, name := range s.Required {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (r *reading) object(declared map[string][]*jsonschema.Schema, closed bool, count countRule, schemas []*jsonschema.Schema, at place) *object {
	key := fmt.Sprint(pointers(schemas), at.reads.key())
	if known, ok := r.names.known[key]; ok {
		return known
	}
	o := &object{doc: describe(schemas)}
	if def := defined(schemas); def != "" {
		o.doc = describe(ofDefinition(schemas, def))
	}
	if at.reads.whole() {
		o.closed, o.count = closed, count
	}
	r.names.known[key] = o
	o.name = r.names.object(schemas, at, o)
	required := requiredOf(schemas)
	for _, name := range fieldOrder(declared, required) {
		inside, read := at.reads.inside(name)
		if !read {
			continue
		}
		property, isDeclared := declared[name]
		if !isDeclared && closed {
			r.refuse(at.path, "requires %s and forbids it", name)
		}
		inner := place{path: join(at.path, name), owner: o.name, member: goName(name), reads: inside}
		o.fields = append(o.fields, field{
			json: name, name: goName(name), doc: describe(property), required: slices.Contains(required, name), value: r.value(property, inner),
		})
	}
	if len(o.fields) > wire.MaxFields {
		r.refuse(at.path, "has more than %d fields", wire.MaxFields)
	}
	r.names.fields(o.fields)
	return o
}

// pointers are the places of the schemas that judge.
func pointers(schemas []*jsonschema.Schema) []string {
	var all []string
	for _, s := range schemas {
		if asks(s) {
			all = append(all, s.Location)
		}
	}
	return all
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func describe(schemas []*jsonschema.Schema) string {
	for _, s := range schemas {
		if s.Description != "" {
			return s.Description
		}
	}
	return ""
}

// typesOf are the types that all schemas allow; false where none says any.
func typesOf(schemas []*jsonschema.Schema) (types []string, typed bool) {
	types = []string{"null", "boolean", "integer", "number", "string", "array", "object"}
	for _, s := range schemas {
		if s.Types != nil && !s.Types.IsEmpty() {
			types, typed = slices.DeleteFunc(types, func(t string) bool { return !allowsType(s, t) }), true
		}
		for _, values := range valuesOf(s) {
			types, typed = slices.DeleteFunc(types, func(t string) bool { return !slices.ContainsFunc(values, func(v any) bool { return isOf(v, t) }) }), true
		}
	}
	if slices.Contains(types, "number") {
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	return types, typed
}

func allowsType(s *jsonschema.Schema, t string) bool {
	allowed := s.Types.ToStrings()
	return slices.Contains(allowed, t) || t == "integer" && slices.Contains(allowed, "number")
}

func isOf(v any, t string) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		exact, ok := new(big.Rat).SetString(v.String())
		return t == "number" || t == "integer" && ok && exact.IsInt()
	case []any:
		return t == "array"
	}
	return t == "object"
}

// valuesOf are the lists of values that a schema allows, by enum and by const.
func valuesOf(s *jsonschema.Schema) [][]any {
	var all [][]any
	if s.Enum != nil {
		all = append(all, s.Enum.Values)
	}
	if s.Const != nil {
		all = append(all, []any{*s.Const})
	}
	return all
}

func hasValues(schemas []*jsonschema.Schema) bool {
	return slices.ContainsFunc(schemas, func(s *jsonschema.Schema) bool { return len(valuesOf(s)) > 0 })
}

func allowsNull(schemas []*jsonschema.Schema) bool {
	for _, s := range schemas {
		for _, values := range valuesOf(s) {
			if !slices.Contains(values, nil) {
				return false
			}
		}
	}
	return true
}

// inexpressible returns a keyword of a schema that no Go type says. It asks for
// every field that is set, so that one which the validator learns one day is
// unknown here.
func inexpressible(s *jsonschema.Schema) string {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() && !annotates(name) && !judges(name) {
			return strings.ToLower(name[:1]) + name[1:]
		}
	}
	switch {
	case s.DraftVersion != 2020:
		return "another draft"
	case s.Format != nil && !wire.IsTextFormat(s.Format.Name):
		return "the format " + s.Format.Name
	}
	if _, ok := s.Pattern.(*regexp.Regexp); s.Pattern != nil && !ok {
		return "a pattern that is not Go's"
	}
	return ""
}

func annotates(keyword string) bool {
	switch keyword {
	case "DraftVersion", "Location", "ID", "Anchor", "Ref", "AllOf",
		"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated":
		return true
	}
	return false
}

func judges(keyword string) bool {
	switch keyword {
	case "Types", "Enum", "Const", "Format", "MinLength", "MaxLength", "Pattern",
		"Minimum", "Maximum", "ExclusiveMinimum", "ExclusiveMaximum", "MultipleOf",
		"Properties", "AdditionalProperties", "Required", "MinProperties", "MaxProperties",
		"Items2020", "MinItems", "MaxItems", "UniqueItems":
		return true
	}
	return false
}

// asks reports whether a schema judges at all.
func asks(s *jsonschema.Schema) bool {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if judges(v.Type().Field(i).Name) && !v.Field(i).IsZero() {
			return true
		}
	}
	return false
}
