package generate

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// goType is the Go type of a value that is there.
func (f *file) goType(v *value) string {
	switch v.kind {
	case kindText:
		if v.enum != nil {
			return v.enum.name
		}
		return "string"
	case kindInstant:
		return "time.Time"
	case kindDecimal:
		_, qualified := cutType(f.cfg.Decimal)
		return qualified
	case kindInteger:
		return "int"
	case kindNumber:
		return "json.Number"
	case kindBoolean:
		return "bool"
	case kindObject:
		return v.object.name
	case kindMap:
		return "map[string]" + f.elementType(v.element)
	case kindList:
		return "[]" + f.elementType(v.element)
	}
	return "json.RawMessage"
}

// nilable reports whether the Go type of the value has a nil of its own.
func (v *value) nilable() bool { return v.kind == kindMap || v.kind == kindList || v.kind == kindRaw }

func (f *file) elementType(v *value) string {
	if v.nullable && !v.nilable() {
		return "*" + f.goType(v)
	}
	return f.goType(v)
}

func (fd field) pointer() bool { return (!fd.required || fd.value.nullable) && !fd.value.nilable() }

func (f *file) fieldType(fd field) string {
	if fd.pointer() {
		return "*" + f.goType(fd.value)
	}
	return f.goType(fd.value)
}

func quoteTag(tag string) string {
	text := strconv.Quote(tag)
	if strings.ContainsRune(text, '`') {
		return `""`
	}
	return text
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func readFunc(o *object) string { return "read" + upperFirst(o.name) }

// methods writes what reads a struct, and what writes it where the service does.
func (f *file) methods(o *object) {
	f.line("// UnmarshalJSON reads and checks it. The error is an [envelope.DecodeError].")
	f.line("func (v *%s) UnmarshalJSON(text []byte) (err error) {", o.name)
	f.line("\t*v, err = wire.Decode(text, %s)\n\treturn err\n}\n", readFunc(o))
	f.line("func %s(r *wire.Reader) (v %s) {", readFunc(o), o.name)
	other := "o.Skip()"
	if o.closed {
		other = "o.Refuse()"
	}
	f.line("\to := r.Object()\n\tfor o.Next() {")
	f.members(numbered(o.fields), "v", f.readField, other)
	f.line("\t}")
	f.ends(o.required())
	if o.count.asks() {
		f.line("\to.Count(%s)", f.rules.count(upperFirst(o.name), o.count))
	}
	f.line("\treturn v\n}\n")
	if o.own {
		f.encoder(o)
	}
}

// numberedField is a field with its number in the object.
type numberedField struct {
	field
	number int
}

// numbered numbers fields: the required ones from 0 in their order.
func numbered(fields []field) []numberedField {
	var all []numberedField
	for _, required := range []bool{true, false} {
		for _, fd := range fields {
			if fd.required == required {
				all = append(all, numberedField{fd, len(all)})
			}
		}
	}
	return all
}

// members writes what reads the member of an object that is next.
func (f *file) members(fields []numberedField, into string, read func(field) string, other string) {
	f.line("\t\tswitch string(o.Name()) {")
	for _, fd := range fields {
		f.line("\t\tcase %q:\n\t\t\to.Field(%d)", fd.json, fd.number)
		target := into + "." + fd.name
		if fd.value.nullable && fd.value.kind != kindRaw {
			f.line("\t\t\tif !r.Null() {\n\t\t\t\t%s = %s\n\t\t\t}", target, read(fd.field))
		} else {
			f.line("\t\t\t%s = %s", target, read(fd.field))
		}
	}
	f.line("\t\tdefault:\n\t\t\t%s\n\t\t}", other)
}

// ends writes the check of what must have been there.
func (f *file) ends(required []string) {
	quoted := make([]string, len(required))
	for i, name := range required {
		quoted[i] = strconv.Quote(name)
	}
	if len(quoted) > 0 {
		f.line("\to.End(%s)", strings.Join(quoted, ", "))
	}
}

func (f *file) readField(fd field) string {
	if fd.pointer() {
		return "new(" + f.read(fd.value) + ")"
	}
	return f.read(fd.value)
}

// read is the expression that reads a value which is not null.
func (f *file) read(v *value) string {
	switch v.kind {
	case kindText:
		text := fmt.Sprintf("r.String(%s)", f.rules.textRule(v))
		if v.enum != nil {
			return v.enum.name + "(" + text + ")"
		}
		return text
	case kindInstant:
		return fmt.Sprintf("r.Time(%s)", f.rules.textRule(v))
	case kindDecimal:
		return fmt.Sprintf("wire.Into[%s](r, %s)", f.goType(v), f.rules.textRule(v))
	case kindInteger:
		return fmt.Sprintf("r.Int(%s)", f.rules.numberRule(v))
	case kindNumber:
		return fmt.Sprintf("r.Number(%s)", f.rules.numberRule(v))
	case kindBoolean:
		return "r.Bool()"
	case kindObject:
		return readFunc(v.object) + "(r)"
	case kindMap:
		return fmt.Sprintf("wire.Map(r, %s, %s)", f.rules.count(v.rule, v.count), f.readElement(v.element))
	case kindList:
		list := "List"
		if v.unique {
			list = "Set"
		}
		return fmt.Sprintf("wire.%s(r, %s, %s)", list, f.rules.count(v.rule, v.count), f.readElement(v.element))
	}
	return "r.Raw()"
}

func (f *file) readElement(v *value) string {
	read := f.read(v)
	switch {
	case v.nullable && v.kind != kindRaw:
		if !v.nilable() {
			read = "new(" + read + ")"
		}
		return fmt.Sprintf("func(r *wire.Reader) %s {\nif r.Null() {\nreturn nil\n}\nreturn %s\n}", f.elementType(v), read)
	case v.kind == kindObject:
		return readFunc(v.object)
	case read == "r.Raw()", read == "r.Bool()":
		return "(*wire.Reader)." + strings.TrimSuffix(strings.TrimPrefix(read, "r."), "()")
	}
	return fmt.Sprintf("func(r *wire.Reader) %s { return %s }", f.elementType(v), read)
}

// decodeFunc writes the function that reads a whole event.
func (f *file) decodeFunc(e *event) {
	name := "Decode" + upperFirst(e.name)
	if f.cfg.Unexported {
		name = "decode" + upperFirst(e.name)
	}
	f.line("// %s reads and checks a whole event as it stands on the wire. The error is an", name)
	f.line("// [envelope.DecodeError].")
	f.line("func %s(value []byte) (envelope.Event[%s], error) {", name, e.name)
	f.line("\treturn wire.Decode(value, func(r *wire.Reader) (e envelope.Event[%s]) {", e.name)
	f.line("\to := r.Object()\n\tfor o.Next() {")
	fields, other := numbered(e.envelope), "o.Skip()"
	if len(f.common) > 0 {
		fields = slices.DeleteFunc(fields, func(fd numberedField) bool { return f.common[fd.json] })
		other = "readEnvelope(r, &o, &e)"
	}
	f.members(fields, "e", f.readEnvelopeField, other)
	f.line("\t}")
	f.ends((&object{fields: e.envelope}).required())
	f.line("\treturn e\n\t})\n}\n")
}

func (f *file) readEnvelopeField(fd field) string {
	if fd.json == "aggregateVersion" {
		return "int64(" + f.read(fd.value) + ")"
	}
	return f.read(fd.value)
}

// envelopeFunc writes what reads the fields that every event of the file has in
// the same way.
func (f *file) envelopeFunc() {
	if len(f.common) == 0 {
		return
	}
	fields := slices.DeleteFunc(numbered(f.events[0].envelope), func(fd numberedField) bool { return !f.common[fd.json] })
	f.line("// readEnvelope reads a member that all events have, and passes one that none has.")
	f.line("func readEnvelope[P any](r *wire.Reader, o *wire.Object, e *envelope.Event[P]) {")
	f.members(fields, "e", f.readEnvelopeField, "o.Skip()")
	f.line("}\n")
}

// commonFields are the fields of the envelope that are the same for all events.
func commonFields(events []*event) map[string]bool {
	if len(events) < 2 {
		return nil
	}
	common := map[string]bool{}
	for i, fd := range numbered(events[0].envelope) {
		common[fd.json] = !slices.ContainsFunc(events, func(e *event) bool {
			return fd.json == "payload" || i >= len(e.envelope) || !reflect.DeepEqual(numbered(e.envelope)[i], fd)
		})
	}
	return common
}
