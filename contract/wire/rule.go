package wire

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Count is how many characters, elements or members there may be.
type Count struct {
	Min int
	// Max of nil is no upper bound.
	Max *int
}

func (c *Count) fault(n int, what string) string {
	switch {
	case c == nil:
	case n < c.Min:
		return fmt.Sprintf("must have at least %d %s", c.Min, what)
	case c.Max != nil && n > *c.Max:
		return fmt.Sprintf("must have at most %d %s", *c.Max, what)
	}
	return ""
}

// Text is what a schema asks of a string. The zero value, and nil, ask nothing.
type Text struct {
	// Length counts code points.
	Length   *Count
	Patterns []*Pattern
	Formats  []*Format
	// OneOf are the allowed values, nil for any.
	OneOf []string
}

// MustPattern returns the pattern of an expression, and panics where it is none.
func MustPattern(expression string) *Pattern { return NewPattern(regexp.MustCompile(expression)) }

// MustFormat returns the validator's format of that name, and panics where it has
// none for strings.
func MustFormat(name string) *Format {
	if !IsTextFormat(name) {
		panic("wire: " + name + " is no format of strings")
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	const url = "https://factline.dev/wire/format.schema.json"
	if err := compiler.AddResource(url, map[string]any{"format": name}); err != nil {
		panic(err)
	}
	return NewFormat(compiler.MustCompile(url).Format)
}

// fault says what is wrong with a string, and nothing where it is allowed.
func (t *Text) fault(content []byte) string {
	if t == nil {
		return ""
	}
	if t.OneOf != nil && !slices.ContainsFunc(t.OneOf, func(allowed string) bool { return allowed == string(content) }) {
		return "must be one of " + strings.Join(t.OneOf, ", ")
	}
	if t.Length != nil {
		if problem := t.Length.fault(utf8.RuneCount(content), "characters"); problem != "" {
			return problem
		}
	}
	for _, p := range t.Patterns {
		if !p.Match(content) {
			return "must match " + p.regexp.String()
		}
	}
	for _, f := range t.Formats {
		if !f.Match(content) {
			return "must be a valid " + f.Name
		}
	}
	return ""
}

// Number is what a schema asks of a number. The zero value, and nil, ask nothing.
type Number struct {
	Limits []Limit
	// OneOf are the allowed values, nil for any.
	OneOf []Figure
}

// MustFigure returns a number such as "1" or "0.5" or "1/3", and panics where it
// is none.
func MustFigure(text string) Figure {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("wire: " + text + " is no number")
	}
	return SchemaFigure(exact)
}

// MustLimit returns a bound at a number as [MustFigure] reads it.
func MustLimit(bound Bound, at string) Limit { return Limit{Figure: MustFigure(at), Bound: bound} }

func (n *Number) fault(f Figure) string {
	if n == nil {
		return ""
	}
	if n.OneOf != nil && !f.In(n.OneOf) {
		return "must be one of the allowed numbers"
	}
	for _, l := range n.Limits {
		if !l.Holds(f) {
			return "must be " + l.String()
		}
	}
	return ""
}

// String says the limit in words, such as "at least 1".
func (l Limit) String() string {
	words := [...]string{AtLeast: "at least", AtMost: "at most", MoreThan: "more than", LessThan: "less than", MultipleOf: "a multiple of"}
	at := l.rat()
	if at.IsInt() {
		return words[l.Bound] + " " + at.Num().String()
	}
	return words[l.Bound] + " " + at.FloatString(6)
}
