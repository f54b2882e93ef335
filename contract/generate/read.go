package generate

import (
	"fmt"
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
		return "int64"
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
	f.members(o, "v", func(fd field) string { return f.readField(fd) })
	f.line("\treturn v\n}\n")
	if o.own {
		f.encoder(o)
	}
}

// members writes the loop over the members of an object.
func (f *file) members(o *object, into string, read func(field) string) {
	f.line("\to := r.Object()\n\tfor o.Next() {\n\t\tswitch string(o.Name()) {")
	number := map[string]int{}
	for i, name := range o.required() {
		number[name] = i
	}
	for _, fd := range o.fields {
		if _, ok := number[fd.json]; !ok {
			number[fd.json] = len(number)
		}
		f.line("\t\tcase %q:\n\t\t\to.Field(%d)", fd.json, number[fd.json])
		target := into + "." + fd.name
		if fd.value.nullable && fd.value.kind != kindRaw {
			f.line("\t\t\tif !r.Null() {\n\t\t\t\t%s = %s\n\t\t\t}", target, read(fd))
		} else {
			f.line("\t\t\t%s = %s", target, read(fd))
		}
	}
	other := "Skip"
	if o.closed {
		other = "Refuse"
	}
	f.line("\t\tdefault:\n\t\t\to.%s()\n\t\t}\n\t}", other)
	if required := o.required(); len(required) > 0 {
		quoted := make([]string, len(required))
		for i, name := range required {
			quoted[i] = strconv.Quote(name)
		}
		f.line("\to.End(%s)", strings.Join(quoted, ", "))
	}
	if o.count.asks() {
		f.line("\to.Count(%s)", f.rules.count(upperFirst(o.name), o.count))
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
		return fmt.Sprintf("r.Int64(%s)", f.rules.numberRule(v))
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
	f.members(&object{fields: e.envelope}, "e", func(fd field) string {
		if fd.json == "eventVersion" {
			return "int(" + f.read(fd.value) + ")"
		}
		return f.read(fd.value)
	})
	f.line("\treturn e\n\t})\n}\n")
}
