package generate

import "fmt"

// encoder writes what appends a struct as JSON.
func (f *file) encoder(o *object) {
	f.line("// AppendJSON appends it to b as it stands on the wire.")
	f.line("func (v %s) AppendJSON(b []byte) []byte {\n\tw := wire.NewWriter(b)", o.name)
	for _, fd := range o.fields {
		f.writeField(fd)
	}
	f.line("\treturn w.End()\n}\n")
	f.line("// MarshalJSON is AppendJSON for encoding/json.")
	f.line("func (v %s) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }\n", o.name)
}

func (f *file) writeField(fd field) {
	from := "v." + fd.name
	switch {
	case !fd.required:
		f.line("\tif %s != nil {", from)
	case fd.value.nullable && fd.value.kind != kindRaw:
		f.line("\tif %s == nil {\n\t\tw.Null(%q)\n\t} else {", from, fd.json)
	default:
		f.line("\t%s", f.write1(fd.json, from, fd.value))
		return
	}
	if fd.pointer() && fd.value.kind != kindObject && fd.value.kind != kindDecimal {
		from = "*" + from
	}
	f.line("\t\t%s\n\t}", f.write1(fd.json, from, fd.value))
}

// write1 is the call that writes a member.
func (f *file) write1(name, from string, v *value) string {
	switch v.kind {
	case kindText:
		if v.enum != nil {
			from = "string(" + from + ")"
		}
		return fmt.Sprintf("w.Text(%q, %s)", name, from)
	case kindInstant:
		return fmt.Sprintf("w.Time(%q, %s)", name, from)
	case kindDecimal:
		return fmt.Sprintf("w.Text(%q, %s.String())", name, from)
	case kindInteger:
		return fmt.Sprintf("w.Int(%q, %s)", name, from)
	case kindNumber:
		return fmt.Sprintf("w.Number(%q, %s)", name, from)
	case kindBoolean:
		return fmt.Sprintf("w.Bool(%q, %s)", name, from)
	case kindObject:
		return fmt.Sprintf("w.Append(%q, %s.AppendJSON)", name, from)
	case kindMap, kindList:
		return fmt.Sprintf("w.Append(%q, func(b []byte) []byte { return %s })", name, f.appendAll(from, v))
	}
	return fmt.Sprintf("w.Raw(%q, %s)", name, from)
}

// appendAll is the expression that appends a list or map to b.
func (f *file) appendAll(from string, v *value) string {
	what := "List"
	if v.kind == kindMap {
		what = "Map"
	}
	return fmt.Sprintf("wire.Append%s(b, %s, %s)", what, from, f.appendElement(v.element))
}

func (f *file) appendElement(v *value) string {
	if v.nullable && v.kind != kindRaw {
		from := "*v"
		if v.nilable() {
			from = "v"
		}
		return fmt.Sprintf("func(b []byte, v %s) []byte {\nif v == nil {\nreturn append(b, \"null\"...)\n}\nreturn %s\n}", f.elementType(v), f.append1(from, v))
	}
	switch v.kind {
	case kindText:
		return "wire.AppendText"
	case kindInstant:
		return "wire.AppendTime"
	case kindNumber:
		return "wire.AppendNumber"
	case kindRaw:
		return "wire.AppendRaw"
	case kindObject:
		return "func(b []byte, v " + v.object.name + ") []byte { return v.AppendJSON(b) }"
	case kindBoolean:
		return "wire.AppendBool"
	case kindInteger:
		return "wire.AppendInt"
	}
	return fmt.Sprintf("func(b []byte, v %s) []byte { return %s }", f.elementType(v), f.append1("v", v))
}

// append1 is the expression that appends one value to b.
func (f *file) append1(from string, v *value) string {
	switch v.kind {
	case kindDecimal:
		return "wire.AppendText(b, (" + from + ").String())"
	case kindObject:
		return "(" + from + ").AppendJSON(b)"
	case kindMap, kindList:
		return f.appendAll(from, v)
	}
	plain := *v
	plain.nullable = false
	return f.appendElement(&plain) + "(b, " + from + ")"
}
