package generate

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// names gives every type of a file its name, and every name one type.
type names struct {
	unexported bool
	types      map[string]any     // *object, *enum or *event
	known      map[string]*object // by the schemas that apply and what is read, to end at a circle
	objects    []*object
	enums      []*enum
}

// title makes a Go word of a JSON name or a value: orderId gives OrderID.
func goName(name string) string {
	var b strings.Builder
	for _, word := range words(name) {
		upper := strings.ToUpper(word)
		plural, isPlural := strings.CutSuffix(upper, "S")
		switch {
		case isInitialism(upper):
			b.WriteString(upper)
		case isPlural && isInitialism(plural):
			b.WriteString(plural + "s")
		default:
			b.WriteString(upper[:1] + strings.ToLower(word[1:]))
		}
	}
	switch s := b.String(); {
	case s == "" || s[0] >= '0' && s[0] <= '9':
		return "X" + s
	default:
		return s
	}
}

func isInitialism(upper string) bool {
	switch upper {
	case "ID", "URL", "URI", "API", "HTTP", "JSON", "IP", "SQL", "UUID", "SLA", "TTL", "UTC", "VAT":
		return true
	}
	return false
}

// words splits at what is no ASCII letter or digit and at changes of case.
func words(name string) []string {
	var all []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			all = append(all, string(word))
		}
		word = nil
	}
	for _, c := range name {
		switch {
		case c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c):
			end()
			continue
		case unicode.IsUpper(c) && len(word) > 0 && !unicode.IsUpper(word[len(word)-1]):
			end()
		}
		word = append(word, c)
	}
	end()
	return all
}

// ofType is a type's name as the file writes it.
func (n *names) ofType(name string) string {
	if !n.unexported {
		return name
	}
	word := words(name)[0]
	lower := strings.ToLower(word) + strings.TrimPrefix(name, goName(word))
	if token.IsKeyword(lower) || types.Universe.Lookup(lower) != nil || slices.Contains(taken(), lower) {
		return lower + "Value"
	}
	return lower
}

// taken are the names that generated functions use themselves.
func taken() []string {
	return []string{"r", "o", "v", "w", "b", "e", "value", "text", "wire", "envelope", "json", "time", "fmt"}
}

// defined returns the name that a schema has in $defs, where it is one that is
// only referred to.
func defined(schemas []*jsonschema.Schema) string {
	for _, s := range schemas {
		if at := strings.LastIndex(s.Location, "/$defs/"); at >= 0 && !strings.Contains(s.Location[at+len("/$defs/"):], "/") {
			return s.Location[at+len("/$defs/"):]
		}
		if asks(s) {
			return ""
		}
	}
	return ""
}

// ofDefinition leaves out what a reference says of its own.
func ofDefinition(schemas []*jsonschema.Schema, def string) []*jsonschema.Schema {
	return schemas[slices.IndexFunc(schemas, func(s *jsonschema.Schema) bool { return strings.HasSuffix(s.Location, "/$defs/"+def) }):]
}

// claim takes the first of the names that is free or means the same already.
func (n *names) claim(mine any, same func(other any) bool, candidates ...string) (name string, isNew bool) {
	last := candidates[len(candidates)-1]
	for i := 2; ; i++ {
		for _, candidate := range candidates {
			name := n.ofType(candidate)
			other, used := n.types[name]
			if !used {
				n.types[name] = mine
				return name, true
			}
			if same(other) {
				return name, false
			}
		}
		candidates = []string{last + strconv.Itoa(i)}
	}
}

func candidates(schemas []*jsonschema.Schema, at place) []string {
	full := strings.ToUpper(at.owner[:1]) + at.owner[1:] + at.member
	if def := defined(schemas); def != "" {
		return []string{goName(def), full}
	}
	return []string{full}
}

func (n *names) object(schemas []*jsonschema.Schema, at place, o *object) string {
	if at.owner == "" { // the payload
		return at.member
	}
	name, _ := n.claim(o, func(any) bool { return false }, candidates(schemas, at)...)
	n.objects = append(n.objects, o)
	return name
}

func (n *names) enum(schemas []*jsonschema.Schema, at place, values []string) *enum {
	if len(values) == 0 || !distinct(values) {
		return nil
	}
	e := &enum{doc: describe(schemas), values: values}
	if def := defined(schemas); def != "" {
		e.doc = describe(ofDefinition(schemas, def))
	}
	same := func(other any) bool {
		o, ok := other.(*enum)
		return ok && reflect.DeepEqual(o.values, values)
	}
	var isNew bool
	if e.name, isNew = n.claim(e, same, candidates(schemas, at)...); isNew {
		n.enums = append(n.enums, e)
	}
	return e
}

// distinct reports whether the values give constants of different names.
func distinct(values []string) bool {
	seen := map[string]bool{}
	for _, v := range values {
		name := goName(v)
		if name == "X" || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// fields makes the names of a struct's fields differ.
func (n *names) fields(all []field) {
	seen := map[string]bool{"AppendJSON": true, "MarshalJSON": true, "UnmarshalJSON": true, "EventType": true, "EventVersion": true}
	for i := range all {
		name := all[i].name
		for j := 2; seen[name]; j++ {
			name = fmt.Sprintf("%s%d", all[i].name, j)
		}
		seen[name], all[i].name = true, name
	}
}

// ruleName is how a rule is called: by its $defs, or by where it stands.
func ruleName(schemas []*jsonschema.Schema, at place) string {
	if def := defined(schemas); def != "" {
		return goName(def)
	}
	if at.owner == "" {
		return at.member
	}
	return strings.ToUpper(at.owner[:1]) + at.owner[1:] + at.member
}
