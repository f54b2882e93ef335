package generate

import (
	"fmt"
	"go/token"
	"strconv"
	"strings"
)

// rules are the rules of a file, each written once.
type rules struct {
	taken  map[string]any // names of types
	byText map[string]string
	order  []string // declarations
	used   map[string]bool
}

func (rs *rules) put(base, suffix, literal string) string {
	if name, ok := rs.byText[literal]; ok {
		return name
	}
	if rs.byText == nil {
		rs.byText, rs.used = map[string]string{}, map[string]bool{}
	}
	name := lowerWord(base) + suffix
	for i := 2; rs.used[name] || rs.taken[name] != nil || token.IsKeyword(name); i++ {
		name = lowerWord(base) + suffix + strconv.Itoa(i)
	}
	rs.byText[literal], rs.used[name] = name, true
	rs.order = append(rs.order, name+" = "+literal)
	return name
}

// lowerWord begins a name small: OrderID gives orderID, ID gives id.
func lowerWord(name string) string {
	word := words(name)[0]
	if strings.HasPrefix(name, strings.ToUpper(word)) && len(word) > 1 {
		return strings.ToLower(word) + name[len(word):]
	}
	return strings.ToLower(name[:1]) + name[1:]
}

func (rs *rules) text() string {
	if len(rs.order) == 0 {
		return ""
	}
	return "// What the contracts ask of single values.\nvar (\n" + strings.Join(rs.order, "\n") + "\n)\n"
}

func (rs *rules) count(base string, c countRule) string {
	if !c.asks() {
		return "nil"
	}
	return rs.put(base, "Count", "&"+countLiteral(c))
}

func countLiteral(c countRule) string {
	var parts []string
	if c.min != nil && *c.min > 0 {
		parts = append(parts, fmt.Sprintf("Min: %d", *c.min))
	}
	if c.max != nil {
		parts = append(parts, fmt.Sprintf("Max: new(%d)", *c.max))
	}
	return "wire.Count{" + strings.Join(parts, ", ") + "}"
}

func (rs *rules) textRule(v *value) string {
	var parts []string
	if v.text.length.asks() {
		parts = append(parts, "Length: &"+countLiteral(v.text.length))
	}
	if len(v.text.patterns) > 0 {
		parts = append(parts, "Patterns: []*wire.Pattern{"+calls("wire.MustPattern", v.text.patterns)+"}")
	}
	if len(v.text.formats) > 0 {
		parts = append(parts, "Formats: []*wire.Format{"+calls("wire.MustFormat", v.text.formats)+"}")
	}
	if v.text.oneOf != nil {
		parts = append(parts, "OneOf: []string{"+calls("", v.text.oneOf)+"}")
	}
	if len(parts) == 0 {
		return "nil"
	}
	return rs.put(v.rule, "Text", "&wire.Text{"+strings.Join(parts, ", ")+"}")
}

func calls(function string, arguments []string) string {
	all := make([]string, len(arguments))
	for i, a := range arguments {
		if all[i] = quote(a); function != "" {
			all[i] = function + "(" + all[i] + ")"
		}
	}
	return strings.Join(all, ", ")
}

// quote writes a pattern as it is read.
func quote(s string) string {
	if strings.ContainsRune(s, '\\') && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

func (rs *rules) numberRule(v *value) string {
	var parts []string
	if len(v.number.limits) > 0 {
		limits := make([]string, len(v.number.limits))
		for i, l := range v.number.limits {
			limits[i] = fmt.Sprintf("wire.MustLimit(wire.%s, %q)", l.bound, l.at.RatString())
		}
		parts = append(parts, "Limits: []wire.Limit{"+strings.Join(limits, ", ")+"}")
	}
	if v.number.oneOf != nil {
		var all []string
		for _, n := range v.number.oneOf {
			all = append(all, n.RatString())
		}
		parts = append(parts, "OneOf: []wire.Figure{"+calls("wire.MustFigure", all)+"}")
	}
	if len(parts) == 0 {
		return "nil"
	}
	return rs.put(v.rule, "Number", "&wire.Number{"+strings.Join(parts, ", ")+"}")
}
