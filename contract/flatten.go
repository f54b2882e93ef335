package contract

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds on flattening: a schema may refer to itself.
const (
	maxFieldDepth = 24
	maxFields     = 5000
	maxMerge      = 64
	maxForms      = 64
	maxNestedForm = 8
	maxTypeName   = 1000 // bytes
)

// piiKeyword marks a field that holds personal data.
const piiKeyword = "x-pii"

// schemas apply to one value together, the nearest first.
type schemas []*jsonschema.Schema

// view is what schemas say directly and through $ref and allOf.
type view struct {
	types       []string
	format      string
	enum        []any
	constant    *any
	properties  map[string]schemas
	required    map[string]bool
	items       schemas
	prefix      []schemas
	values      schemas            // of members that no property names
	patterns    map[string]schemas // of members by the pattern of their name
	choices     []choiceOfForms
	title       string
	description string
	locations   []string
}

// choiceOfForms are schemas of which some apply: those of oneOf or anyOf, or what
// follows a condition, which need not.
type choiceOfForms struct {
	forms    schemas
	optional bool
}

func gather(all ...*jsonschema.Schema) *view {
	v := &view{properties: map[string]schemas{}, patterns: map[string]schemas{}, required: map[string]bool{}}
	for _, s := range all {
		v.merge(s, 0)
	}
	return v
}

// merge adds what s says. What stands nearer wins over what is referred to.
func (v *view) merge(s *jsonschema.Schema, depth int) {
	if s == nil || depth > maxMerge || slices.Contains(v.locations, s.Location) {
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
	v.mergeArray(s)
	v.mergeChoices(s)
	v.merge(s.Ref, depth+1)
	for _, part := range s.AllOf {
		v.merge(part, depth+1)
	}
}

func (v *view) mergeObject(s *jsonschema.Schema) {
	for name, values := range s.Properties {
		v.properties[name] = append(v.properties[name], values)
	}
	for _, name := range s.Required {
		v.required[name] = true
	}
	if values, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		v.values = append(v.values, values)
	}
	if says(s.UnevaluatedProperties) {
		v.values = append(v.values, s.UnevaluatedProperties)
	}
	for pattern, values := range s.PatternProperties {
		v.patterns[pattern.String()] = append(v.patterns[pattern.String()], values)
	}
}

// says reports whether a schema tells more than whether anything may stand there.
func says(s *jsonschema.Schema) bool { return s != nil && s.Bool == nil }

func (v *view) mergeArray(s *jsonschema.Schema) {
	switch {
	case s.Items2020 != nil:
		v.items = append(v.items, s.Items2020)
	case says(s.UnevaluatedItems):
		v.items = append(v.items, s.UnevaluatedItems)
	}
	for i, element := range s.PrefixItems {
		if i == len(v.prefix) {
			v.prefix = append(v.prefix, nil)
		}
		v.prefix[i] = append(v.prefix[i], element)
	}
}

func (v *view) mergeChoices(s *jsonschema.Schema) {
	for _, forms := range []schemas{s.OneOf, s.AnyOf} {
		if len(forms) > 0 {
			v.choices = append(v.choices, choiceOfForms{forms: forms})
		}
	}
	for _, form := range []*jsonschema.Schema{s.Then, s.Else} {
		if form != nil {
			v.choices = append(v.choices, choiceOfForms{schemas{form}, true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.DependentSchemas)) {
		v.choices = append(v.choices, choiceOfForms{schemas{s.DependentSchemas[name]}, true})
	}
}

// forms are what a value can be: each form of each choice together with what
// always applies, or that alone where there is no choice.
func (v *view) forms(depth int) []*view {
	if len(v.choices) == 0 || depth > maxNestedForm {
		return []*view{v}
	}
	var all []*view
	for _, c := range v.choices {
		if c.optional && len(all) < maxForms {
			all = append(all, v)
		}
		for _, form := range c.forms {
			if len(all) == maxForms { // before it is asked for its own, which are as many
				return all
			}
			inner := gather(form).forms(depth + 1)
			for _, one := range inner[:min(len(inner), maxForms-len(all))] {
				all = append(all, one.over(v))
			}
		}
	}
	return all
}

// over is a form with what it stands beside.
func (v *view) over(base *view) *view {
	both := gather()
	for _, part := range []*view{v, base} {
		both.title = first(both.title, part.title)
		both.description = first(both.description, part.description)
		both.format = first(both.format, part.format)
		if both.types == nil {
			both.types = part.types
		}
		if both.enum == nil {
			both.enum = part.enum
		}
		if both.constant == nil {
			both.constant = part.constant
		}
		for name, values := range part.properties {
			both.properties[name] = append(both.properties[name], values...)
		}
		for pattern, values := range part.patterns {
			both.patterns[pattern] = append(both.patterns[pattern], values...)
		}
		maps.Copy(both.required, part.required)
		both.values = append(both.values, part.values...)
		both.items = append(both.items, part.items...)
		for i, element := range part.prefix {
			if i == len(both.prefix) {
				both.prefix = append(both.prefix, nil)
			}
			both.prefix[i] = append(both.prefix[i], element...)
		}
		both.locations = append(both.locations, part.locations...)
	}
	return both
}

// typeName is the type in words. That of a list says what it is a list of, as far
// as lists of lists are readable. Each list is put into words once.
func (f *flattener) typeName(v *view, depth int) string {
	switch {
	case len(v.items) > 0:
		return f.listName(v.items, depth)
	case len(v.properties) > 0:
		return "object"
	case len(v.values) > 0, len(v.patterns) > 0:
		return "map"
	case len(v.types) > 0:
		return strings.Join(v.types, " or ")
	case len(v.enum) > 0, v.constant != nil:
		return "string"
	}
	return "any"
}

func (f *flattener) listName(items schemas, depth int) string {
	parts := []string{strconv.Itoa(depth)}
	for _, s := range items {
		parts = append(parts, s.Location)
	}
	key := strings.Join(parts, " ")
	name, known := f.lists[key]
	if known {
		return name
	}
	name = "array"
	if depth <= maxNestedForm {
		var names []string
		for _, form := range gather(items...).forms(0) {
			names = append(names, f.typeName(form, depth+1))
		}
		if full := "array of " + alternatives(names); len(full) <= maxTypeName {
			name = full
		}
	}
	f.lists[key] = name
	return name
}

func alternatives(names []string) string { return strings.Join(distinct(names), " or ") }

func distinct(words []string) (found []string) {
	seen := map[string]bool{}
	for _, word := range words {
		if !seen[word] {
			seen[word] = true
			found = append(found, word)
		}
	}
	return found
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

// flatten lists the fields of a value that has these forms and stands at a path.
// beyond is the path of a field for which there was no room, empty for none.
func (s *schemaSet) flatten(forms []*view, path string) (fields []Field, beyond string) {
	f := &flattener{set: s, lists: map[string]string{}}
	root := &place{field: Field{Path: path}, views: forms, schemas: map[string]bool{}}
	root.add(forms)
	f.fresh = []*place{root}
	for len(f.fresh) > 0 {
		next := f.fresh[0]
		f.fresh = f.fresh[1:]
		f.inside(next)
	}
	for len(f.again) > 0 && f.forms < maxFields {
		next := f.again[0]
		f.again = f.again[1:]
		f.inside(next)
	}
	return root.list(nil), f.beyond
}

// flattener looks into every place first whose schemas describe nothing that holds
// it, and then, level by level, into what a schema that refers to itself repeats
// without end, which so takes the room of no other field.
type flattener struct {
	set          *schemaSet
	fresh, again []*place
	forms        int
	beyond       string
	lists        map[string]string // what lists are called, by their elements and depth
}

// place is a field and what it holds.
type place struct {
	field    Field
	views    []*view
	schemas  map[string]bool // the locations of its own and those that hold it
	depth    int
	repeated bool
	members  []*place
}

func (p *place) add(views []*view) {
	for _, v := range views {
		for _, location := range v.locations {
			p.schemas[location] = true
		}
	}
}

// repeats reports whether one of the views is of a schema that holds it.
func (p *place) repeats(views []*view) bool {
	return p.repeated || slices.ContainsFunc(views, func(v *view) bool {
		return slices.ContainsFunc(v.locations, func(location string) bool { return p.schemas[location] })
	})
}

// list lists what a place holds, parents before children.
func (p *place) list(fields []Field) []Field {
	for _, member := range p.members {
		fields = member.list(append(fields, member.field))
	}
	return fields
}

type placeKind uint8

const (
	ofName  placeKind = iota // of that name
	unnamed                  // a value of a map, or what stands at one place of a list
	ofList                   // an element
)

// held is how a value is held: by whom, as what, and whether it must be there.
type held struct {
	all      schemas
	required bool
}

// inside adds what the forms of one value hold.
func (f *flattener) inside(p *place) {
	path, member := p.field.Path, p.field.Path
	if path != "" {
		member += "."
	}
	for _, name := range namesOf(p.views, func(v *view) map[string]schemas { return v.properties }) {
		f.place(p, member+name, ofName, func(v *view) held { return held{v.properties[name], v.required[name]} })
	}
	f.place(p, member+"*", unnamed, func(v *view) held { return held{all: v.values} })
	for _, pattern := range namesOf(p.views, func(v *view) map[string]schemas { return v.patterns }) {
		f.place(p, member+"/"+pattern+"/", unnamed, func(v *view) held { return held{all: v.patterns[pattern]} })
	}
	for i := range longestPrefix(p.views) {
		f.place(p, fmt.Sprintf("%s[%d]", path, i), unnamed, func(v *view) held {
			if i < len(v.prefix) {
				return held{all: v.prefix[i]}
			}
			return held{}
		})
	}
	f.place(p, path+"[]", ofList, func(v *view) held { return held{all: v.items} })
}

func namesOf(holders []*view, of func(*view) map[string]schemas) []string {
	var names []string
	for _, v := range holders {
		names = slices.AppendSeq(names, maps.Keys(of(v)))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func longestPrefix(holders []*view) int {
	longest := 0
	for _, v := range holders {
		longest = max(longest, len(v.prefix))
	}
	return longest
}

// place adds the field at a path and what it holds. Forms that are made of the
// same schemas are one.
func (f *flattener) place(holder *place, path string, kind placeKind, at func(*view) held) {
	var forms []Field
	var views []*view
	everywhere := true
	for _, view := range holder.views {
		h := at(view)
		if len(h.all) == 0 {
			everywhere = false
			continue
		}
		for _, v := range gather(h.all...).forms(0) {
			form := f.form(v, path, h)
			i := slices.IndexFunc(forms, func(other Field) bool { return slices.Equal(other.locations, form.locations) })
			if i >= 0 {
				forms[i].Required = forms[i].Required && form.Required
				continue
			}
			forms, views = append(forms, form), append(views, v)
		}
	}
	if len(forms) == 0 {
		return
	}
	field := merged(forms)
	field.kind, field.Alternative = kind, !everywhere
	if !everywhere {
		field.forms, field.Required = forms, false
	}
	f.keep(holder, field, views)
}

// keep makes a field one of its holder's and looks into it later, where there is room.
func (f *flattener) keep(holder *place, field Field, views []*view) {
	p := &place{field: field, views: views, depth: holder.depth + 1, repeated: holder.repeats(views)}
	switch room := f.forms+len(views) <= maxFields && p.depth <= maxFieldDepth; {
	case !room && !p.repeated:
		f.beyond = first(f.beyond, field.Path)
		return
	case !room:
		return
	case p.repeated:
		f.again = append(f.again, p)
	default:
		p.schemas = maps.Clone(holder.schemas)
		p.add(views)
		f.fresh = append(f.fresh, p)
	}
	f.forms += len(views)
	holder.members = append(holder.members, p)
}

func (f *flattener) form(v *view, path string, h held) Field {
	return Field{
		Path: path, Type: f.typeName(v, 0), Format: v.format, Enum: v.enumWords(), Required: h.required, PII: f.set.marked(v, piiKeyword),
		Title: v.title, Description: v.description, schemas: h.all, locations: v.locations, set: f.set,
	}
}

// merged is a field of several forms: what holds for all of them, and the words of
// the first that has any.
func merged(forms []Field) Field {
	field := forms[0]
	if len(forms) == 1 {
		return field
	}
	field.forms, field.Enum, field.schemas, field.locations = forms, nil, nil, nil
	names, open := make([]string, len(forms)), false
	for i, form := range forms {
		names[i] = form.Type
		if form.Format != field.Format {
			field.Format = ""
		}
		field.Required = field.Required && form.Required
		field.PII = field.PII || form.PII
		field.Title, field.Description = first(field.Title, form.Title), first(field.Description, form.Description)
		open = open || form.Enum == nil && form.Type != "null"
		field.Enum = append(field.Enum, form.Enum...)
		field.schemas, field.locations = append(field.schemas, form.schemas...), append(field.locations, form.locations...)
	}
	field.Type = alternatives(names)
	if open {
		field.Enum = nil
	}
	field.Enum = distinct(field.Enum)
	return field
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
