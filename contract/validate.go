package contract

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"factline.dev/contract/wire"
)

// Limits that hold before a schema sees a value.
const (
	// MaxValueBytes is the largest event that is checked: the 900 KiB of an
	// append and the publish time that the relay adds.
	MaxValueBytes = wire.MaxBytes
	// MaxDepth is the deepest nesting of arrays and objects.
	MaxDepth = wire.MaxDepth
	// MaxViolations is the largest number of violations that one error lists.
	MaxViolations = 20
)

// Validate checks a whole event as it stands on the wire against the schema of
// its type and version. It returns nil, a [UnknownEventError] or a
// [ViolationError].
func (c *Catalogue) Validate(eventType string, eventVersion int, value []byte) error {
	e, err := c.lookup(eventType, eventVersion)
	if err != nil {
		return err
	}
	if e.shape.accepts(value) {
		return nil
	}
	doc, fault := decodeJSON(value, MaxValueBytes, MaxDepth)
	if fault != nil {
		return e.violation("value", fault.Message)
	}
	return e.validate(doc)
}

func (e *Event) validate(doc any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = e.violation("value", "made the validator give up; treat it as broken")
		}
	}()
	err = e.schema.Validate(doc)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return e.violation("value", "cannot be checked")
	}
	t := &translator{doc: doc, declared: e.declared, seen: map[Violation]bool{}}
	t.add(invalid)
	return t.violation(e)
}

// translator turns the validator's tree of errors into a flat list that never
// holds what a field holds.
type translator struct {
	doc      any
	declared map[string]bool
	seen     map[Violation]bool
	found    []Violation
}

func (t *translator) violation(e *Event) *ViolationError {
	sortViolations(t.found)
	listed := t.found[:min(len(t.found), MaxViolations)]
	return &ViolationError{
		EventType: e.Type, EventVersion: e.Version,
		Violations: listed, More: len(t.found) - len(listed),
	}
}

func (t *translator) add(err *jsonschema.ValidationError) {
	path := t.path(err.InstanceLocation)
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		t.missing(path, k.Missing)
	case *kind.DependentRequired:
		t.missing(path, k.Missing)
	case *kind.Dependency:
		t.missing(path, k.Missing)
	case *kind.AnyOf, *kind.OneOf:
		t.put(path, "has none of the allowed forms")
	case *kind.Not:
		t.put(path, "has a form that is not allowed")
	default:
		if len(err.Causes) == 0 {
			t.put(path, message(err.ErrorKind))
		}
		for _, cause := range err.Causes {
			t.add(cause)
		}
	}
}

func (t *translator) missing(path string, names []string) {
	for _, name := range names {
		if path == "value" {
			t.put(name, "is required")
		} else {
			t.put(path+"."+name, "is required")
		}
	}
}

func (t *translator) put(path, message string) {
	v := Violation{Path: path, Message: message}
	if !t.seen[v] {
		t.seen[v] = true
		t.found = append(t.found, v)
	}
}

func (t *translator) path(location []string) string {
	if len(location) == 0 {
		return "value"
	}
	var b strings.Builder
	node := t.doc
	for i, token := range location {
		array, isArray := node.([]any)
		if isArray {
			b.WriteString("[" + token + "]")
			node = element(array, token)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(t.name(token))
		object, _ := node.(map[string]any)
		node = object[token]
	}
	return b.String()
}

// name hides a name that came with the value.
func (t *translator) name(token string) string {
	if t.declared[token] {
		return token
	}
	return "*"
}

func element(array []any, index string) any {
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(array) {
		return nil
	}
	return array[i]
}

// message says what a keyword wants. Only the schema's side of a comparison is
// ever written.
func message(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + strings.Join(k.Want, " or ")
	case *kind.Const:
		return fmt.Sprintf("must be %v", k.Want)
	case *kind.Enum:
		return "must be one of " + words(k.Want)
	case *kind.Format:
		return "must be a valid " + k.Want
	case *kind.Pattern:
		return "must match " + k.Want
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	}
	return otherMessage(k)
}

func otherMessage(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d fields", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d fields", k.Want)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.AdditionalProperties:
		return "has a field that is not allowed"
	case *kind.UniqueItems:
		return "has the same element twice"
	}
	return "breaks the contract"
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return r.FloatString(6)
}

func words(values []any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ", ")
}

// declaredNames are the property names that a schema and all it refers to
// write down; every other name in a value came with the value.
func declaredNames(s *jsonschema.Schema) map[string]bool {
	names := map[string]bool{}
	for _, sub := range reachable(s) {
		for name := range sub.Properties {
			names[name] = true
		}
	}
	return names
}

// reachable are schemas and all that they refer to.
func reachable(from ...*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{nil: true}
	var walk func(*jsonschema.Schema)
	walk = func(s *jsonschema.Schema) {
		if seen[s] {
			return
		}
		seen[s] = true
		all = append(all, s)
		for _, sub := range subschemas(s) {
			walk(sub)
		}
	}
	for _, s := range from {
		walk(s)
	}
	return all
}

func subschemas(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else, s.Items2020, s.Contains, s.PropertyNames, s.UnevaluatedItems, s.UnevaluatedProperties}
	all = append(all, s.AllOf...)
	all = append(all, s.AnyOf...)
	all = append(all, s.OneOf...)
	all = append(all, s.PrefixItems...)
	for _, sub := range s.Properties {
		all = append(all, sub)
	}
	for _, sub := range s.PatternProperties {
		all = append(all, sub)
	}
	for _, sub := range s.DependentSchemas {
		all = append(all, sub)
	}
	if values, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		all = append(all, values)
	}
	return all
}
