package contract

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"factline.dev/contract/internal/pointer"
)

// Field is one field of a payload, flattened.
type Field struct {
	// Path is the place below the payload: totals.oneTimeTotal; lines[].offerId for
	// a field of each element of a list, pair[0] for what stands first in one;
	// prices.* for each value of a map, prices./^x-/ for those whose name matches
	// the pattern between the slashes. A branch of oneOf or anyOf adds nothing to
	// the path, as it adds nothing to the value.
	Path string
	// Type is string, integer, number, boolean, object, map, array, any, or an
	// array's with its element, such as "array of string"; with "or" between
	// those of its forms.
	Type string
	// Format is the JSON Schema format, such as date-time, empty for none or
	// where the forms differ.
	Format string
	// Enum are the allowed values, nil when open.
	Enum []string
	// Required says that the object holding the field must have it.
	Required bool
	// Alternative says that only some forms of what holds the field have it, such
	// as one branch of a oneOf.
	Alternative bool
	// PII says that the schema marks the field, in any of its forms, as personal
	// data.
	PII bool
	// Title and Description are the schema's words.
	Title       string
	Description string

	forms     []Field // nil for one
	kind      placeKind
	schemas   schemas
	locations []string // of its schemas, then of those that they refer to
	set       *schemaSet
}

// Depth is how many objects and arrays the field lies inside.
func (f Field) Depth() int { return strings.Count(f.Path, ".") }

// Named says that the field goes by a name of its own, as a value of a map, an element
// and what stands at a place of a list do not.
func (f Field) Named() bool { return f.kind == ofName }

// Forms are what the field can be: one for each branch of oneOf, anyOf or a
// condition that says something of it, with what always applies; itself where
// there is but one. Required says then that the field must be there in that branch.
func (f Field) Forms() []Field {
	if f.forms == nil {
		return []Field{f}
	}
	return slices.Clone(f.forms)
}

// Fields returns the payload's fields, flattened, parents before children, in
// order of name. The elements of a list are told by its type.
func (e *Event) Fields() []Field {
	return slices.DeleteFunc(e.Places(), func(f Field) bool { return f.kind == ofList })
}

// Places returns the payload's fields as [Event.Fields] does, and each list's
// elements as a field of their own, such as lines[].
func (e *Event) Places() []Field { return slices.Clone(e.fields) }

// EnvelopeFields returns the fields of the event outside of its payload, flattened
// as [Event.Places] are, each path below "envelope".
func (e *Event) EnvelopeFields() []Field {
	forms := gather(e.schema).forms(0)
	for _, form := range forms {
		delete(form.properties, "payload")
	}
	fields, _ := e.schemas.flatten(forms, "envelope")
	return fields
}

// Field returns the payload's field, or the elements of a list, at a path as in
// [Field.Path].
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
	if v := gather(gather(e.schema).properties[envelopeField]...).constant; v != nil {
		return *v, true
	}
	return nil, false
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

// Keywords are the keywords of the field that say what one value may be, such as
// pattern or multipleOf, with what is referred to; of one form where it has several.
// Where a keyword holds schemas, those that they refer to stand beside it, each by
// its file and its place in it. Numbers are [json.Number].
func (f Field) Keywords() map[string]any {
	found := map[string]any{}
	for _, location := range f.locations {
		for keyword, value := range f.set.node(location) {
			if _, nearer := found[keyword]; nearer || slices.Contains(structural, keyword) {
				continue
			}
			found[keyword] = value
			switch value.(type) {
			case map[string]any, []any: // may hold schemas
				document, at := pointer.Cut(location)
				f.set.addTargets(found, f.schemas, document, at+"/"+pointer.Escape(keyword))
			}
		}
	}
	return found
}

// structural keywords lead to other schemas, which are fields or forms of their own.
var structural = []string{
	"$ref", "$defs", "$schema", "$id", "$comment", "allOf", "oneOf", "anyOf", "then", "else", "dependentSchemas",
	"properties", "required", "items", "prefixItems", "additionalProperties", "patternProperties",
}

// Schema is the schema of the field as it is written, with every schema that it or a
// part of it refers to, each by its file and its place in it. Numbers are
// [json.Number].
func (f Field) Schema() map[string]any {
	found := map[string]any{}
	f.set.addAll(found, reachable(f.schemas...))
	return found
}

// SchemaTargets is what the schemas at or below a place of the event's schema refer to
// outside of it, each by its file and its place in it: of all of it for an empty
// file. The place is a file of the folder, or its URL, and a JSON pointer. Empty
// where nothing is referred to. Numbers are [json.Number].
func (e *Event) SchemaTargets(file, at string) map[string]any {
	found := map[string]any{}
	if file == "" {
		e.schemas.addAll(found, reachable(e.schema))
		return found
	}
	if !strings.HasPrefix(file, e.schemas.base) {
		file = e.schemas.url(file)
	}
	e.schemas.addTargets(found, schemas{e.schema}, file, at)
	return found
}

// addTargets adds what the schemas at or below a place refer to.
func (s *schemaSet) addTargets(found map[string]any, from schemas, file, at string) {
	within := func(part *jsonschema.Schema) bool {
		document, place := pointer.Cut(part.Location)
		return document == file && (place == at || strings.HasPrefix(place, at+"/"))
	}
	targets := slices.DeleteFunc(reachable(from...), func(part *jsonschema.Schema) bool { return !within(part) })
	s.addAll(found, slices.DeleteFunc(reachable(targets...), within))
}

// addAll adds schemas as they are written, without those that are a part of another.
func (s *schemaSet) addAll(found map[string]any, all []*jsonschema.Schema) {
	locations := make([]string, len(all))
	for i, part := range all {
		locations[i] = part.Location
	}
	slices.Sort(locations)
	outer := ""
	for _, location := range locations {
		if outer != "" && strings.HasPrefix(location, outer+"/") {
			continue
		}
		outer = location
		found[strings.TrimPrefix(location, s.base)], _ = s.at(location)
	}
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
	url, fragment, _ := strings.Cut(gather(e.schema).properties["payload"][0].Location, "#")
	return strings.TrimPrefix(url, e.schemas.base), fragment
}

// SchemaBase is the URL that the folder's files have below it, as their $id says.
func (e *Event) SchemaBase() string { return e.schemas.base }
