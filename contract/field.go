package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/internal/pointer"
)

// Bounds on flattening: a schema may refer to itself.
const (
	maxFieldDepth = 12
	maxFields     = 5000
	maxMerge      = 64
)

// piiKeyword marks a field that holds personal data.
const piiKeyword = "x-pii"

// Field is one field of a payload, flattened.
type Field struct {
	// Path is the place below the payload: totals.oneTimeTotal, or
	// lines[].offerId for a field of each element.
	Path string
	// Type is string, integer, number, boolean, object, map, array, any, or an
	// array's with its element, such as "array of string".
	Type string
	// Format is the JSON Schema format, such as date-time, empty for none.
	Format string
	// Enum are the allowed values, nil when open.
	Enum []string
	// Required says that the object holding the field must have it.
	Required bool
	// PII says that the schema marks the field as personal data.
	PII bool
	// Title and Description are the schema's words.
	Title       string
	Description string

	schema    *jsonschema.Schema
	locations []string // of its schema, then of those that it refers to
}

// Depth is how many objects and arrays the field lies inside.
func (f Field) Depth() int { return strings.Count(f.Path, ".") }

// Fields returns the payload's fields, flattened, parents before children, in
// order of name.
func (e *Event) Fields() []Field { return slices.Clone(e.fields) }

// Field returns the payload's field at a path as in [Field.Path].
func (e *Event) Field(path string) (Field, bool) {
	for _, f := range e.fields {
		if f.Path == path {
			return f, true
		}
	}
	return Field{}, false
}

// Const returns the value that the schema fixes for an envelope field, such
// as producer.
func (e *Event) Const(envelopeField string) (any, bool) {
	field, ok := gather(e.schema).properties[envelopeField]
	if !ok {
		return nil, false
	}
	if v := gather(field).constant; v != nil {
		return *v, true
	}
	return nil, false
}

// view is what a schema says directly and through $ref and allOf.
type view struct {
	types       []string
	format      string
	enum        []any
	constant    *any
	properties  map[string]*jsonschema.Schema
	required    map[string]bool
	items       *jsonschema.Schema
	values      *jsonschema.Schema
	title       string
	description string
	locations   []string
}

func gather(s *jsonschema.Schema) *view {
	v := &view{properties: map[string]*jsonschema.Schema{}, required: map[string]bool{}}
	v.merge(s, 0)
	return v
}

// merge adds what s says. What stands nearer wins over what is referred to.
func (v *view) merge(s *jsonschema.Schema, depth int) {
	if s == nil || depth > maxMerge {
		return
	}
	v.locations = append(v.locations, s.Location)
	v.title = first(v.title, s.Title)
	v.description = first(v.description, s.Description)
	if s.Types != nil && v.types == nil {
		v.types = s.Types.ToStrings()
	}
	if s.Format != nil {
		v.format = first(v.format, s.Format.Name)
	}
	if s.Enum != nil && v.enum == nil {
		v.enum = s.Enum.Values
	}
	if s.Const != nil && v.constant == nil {
		v.constant = s.Const
	}
	v.mergeObject(s)
	if v.items == nil {
		v.items = s.Items2020
	}
	v.merge(s.Ref, depth+1)
	for _, part := range s.AllOf {
		v.merge(part, depth+1)
	}
}

func (v *view) mergeObject(s *jsonschema.Schema) {
	for name, property := range s.Properties {
		if v.properties[name] == nil {
			v.properties[name] = property
		}
	}
	for _, name := range s.Required {
		v.required[name] = true
	}
	if values, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && v.values == nil {
		v.values = values
	}
}

func (v *view) typeName() string {
	switch {
	case v.items != nil:
		return "array of " + gather(v.items).typeName()
	case len(v.properties) > 0:
		return "object"
	case v.values != nil:
		return "map"
	case len(v.types) > 0:
		return strings.Join(v.types, " or ")
	case len(v.enum) > 0, v.constant != nil:
		return "string"
	}
	return "any"
}

func (v *view) enumWords() []string {
	var words []string
	for _, value := range v.enum {
		words = append(words, fmt.Sprint(value))
	}
	return words
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// flatten lists the fields of a payload schema.
func (s *schemaSet) flatten(payload *jsonschema.Schema) []Field {
	f := &flattener{set: s}
	f.object(gather(payload), "", 0)
	return f.fields
}

type flattener struct {
	set    *schemaSet
	fields []Field
}

func (f *flattener) object(v *view, prefix string, depth int) {
	for _, name := range slices.Sorted(maps.Keys(v.properties)) {
		if len(f.fields) >= maxFields || depth > maxFieldDepth {
			return
		}
		field := gather(v.properties[name])
		at := prefix + name
		f.fields = append(f.fields, Field{
			Path: at, Type: field.typeName(), Format: field.format, Enum: field.enumWords(),
			Required: v.required[name], PII: f.set.marked(field, piiKeyword),
			Title: field.title, Description: field.description, schema: v.properties[name], locations: field.locations,
		})
		f.children(field, at, depth)
	}
}

func (f *flattener) children(field *view, at string, depth int) {
	for field.items != nil {
		at += "[]"
		field = gather(field.items)
	}
	if len(field.properties) > 0 {
		f.object(field, at+".", depth+1)
	}
}

// marked reports whether a schema or one that it refers to sets a keyword of
// ours, which the compiled form does not keep.
func (s *schemaSet) marked(v *view, keyword string) bool {
	for _, location := range v.locations {
		if s.node(location)[keyword] == true {
			return true
		}
	}
	return false
}

// node is the schema at a location as it is written, nil for true and false.
func (s *schemaSet) node(location string) map[string]any {
	value, _ := s.at(location)
	node, _ := value.(map[string]any)
	return node
}

func (s *schemaSet) at(location string) (any, bool) {
	document, at := pointer.Cut(location)
	return pointer.At(s.docs[document], at)
}

// Envelope reports whether the schema declares a field of the envelope, such as
// tenantId, and whether every event must have it.
func (e *Event) Envelope(field string) (declared, required bool) {
	v := gather(e.schema)
	return v.properties[field] != nil, v.required[field]
}

// FieldKeywords are the keywords of the payload field at a path that say what
// one value may be, such as pattern or multipleOf, with what is referred to.
// Nil where the field is not declared; numbers are [json.Number].
func (e *Event) FieldKeywords(path string) map[string]any {
	f, ok := e.Field(path)
	if !ok {
		return nil
	}
	found := map[string]any{}
	for _, location := range f.locations {
		for keyword, value := range e.schemas.node(location) {
			if _, nearer := found[keyword]; !nearer && !slices.Contains(structural, keyword) {
				found[keyword] = value
			}
		}
	}
	return found
}

// structural keywords lead to other schemas, which are fields of their own.
var structural = []string{
	"$ref", "$defs", "$schema", "$id", "$comment", "allOf", "properties", "required", "items", "additionalProperties", "patternProperties",
}

// FieldSchema is the schema of the payload field at a path as it is written, with
// every schema that it or a part of it refers to, each by its file and its place
// in it. Nil where the field is not declared; numbers are [json.Number].
func (e *Event) FieldSchema(path string) map[string]any {
	f, ok := e.Field(path)
	if !ok {
		return nil
	}
	var locations []string
	for _, s := range reachable(f.schema) {
		locations = append(locations, s.Location)
	}
	slices.Sort(locations)
	found, outer := map[string]any{}, ""
	for _, location := range locations {
		if outer != "" && strings.HasPrefix(location, outer+"/") {
			continue // it is a part of what is there
		}
		outer = location
		found[strings.TrimPrefix(location, e.schemas.base)], _ = e.schemas.at(location)
	}
	return found
}

// SchemaFiles are the files of the folder that the event's schema is made of:
// its own and every shared one that it refers to.
func (e *Event) SchemaFiles() []string {
	var files []string
	for _, s := range reachable(e.schema) {
		url, _, _ := strings.Cut(s.Location, "#")
		if file := strings.TrimPrefix(url, e.schemas.base); !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// PayloadLocation is where the schema of the payload stands: a file of the
// folder and a JSON pointer in it, encoded as the fragment of a URL.
func (e *Event) PayloadLocation() (file, fragment string) {
	url, fragment, _ := strings.Cut(gather(e.schema).properties["payload"].Location, "#")
	return strings.TrimPrefix(url, e.schemas.base), fragment
}

// SchemaBase is the URL that the folder's files have below it, as their $id says.
func (e *Event) SchemaBase() string { return e.schemas.base }
