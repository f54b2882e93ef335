package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"factline.dev/contract"
	"factline.dev/contract/compat"
	"factline.dev/contract/internal/pointer"
)

// unexplained turns what the engine found into changes, except where a change of
// a field says it already: to that one it lends its witness. prefix is where the
// payload is in the compared documents.
func unexplained(d *diff, r compat.Result, prefix string) []Change {
	findings := r.Findings
	if len(findings) == 0 && r.Verdict != compat.Compatible {
		findings = []compat.Finding{{Rule: "schema", Verdict: r.Verdict, Direction: r.Direction, Message: r.Reason, Witness: r.Witness}}
	}
	var found []Change
	for _, f := range findings {
		path := fieldPath(f.Path, prefix)
		if !explained(d, f, path) {
			found = add(found, d.change(f, path))
		}
	}
	return found
}

// explained reports whether a change of a field is the reason for a finding. A
// finding that is not decided is explained by nothing.
func explained(d *diff, f compat.Finding, path string) bool {
	if f.Verdict != compat.Breaking {
		return false
	}
	for i := range d.changes {
		c := &d.changes[i]
		if !because(c, f, path) {
			continue
		}
		if c.Witness == nil {
			c.Witness = f.Witness
		}
		c.Hurt = d.everyone() // whoever validates refuses it, whatever they read
		if text := f.Direction.String(); !slices.Contains(c.Directions, text) {
			c.Directions = append(c.Directions, text)
		}
		return true
	}
	return false
}

func because(c *Change, f compat.Finding, path string) bool {
	at := c.Path == path
	missing := f.Rule == "required" && named(path, f) == c.Path
	backward := f.Direction == compat.Backward
	switch c.Kind {
	case RequiredAdded, MadeRequired:
		return backward && (missing || at && c.Kind == RequiredAdded && f.Rule == "required")
	case RequiredRemoved, MadeOptional:
		return !backward && (missing || at && c.Kind == RequiredRemoved && f.Rule == "required")
	case FieldRenamed:
		return f.Rule == "required" && (missing || at || named(path, f) == c.renamedTo)
	case EnumValueAdded:
		return !backward && at && (f.Rule == "enum" || f.Rule == "const")
	case EnumValueRemoved:
		return backward && at && (f.Rule == "enum" || f.Rule == "const")
	case NumberPrecision:
		return at && slices.Contains([]string{"type", "multipleOf", "pattern", "format"}, f.Rule)
	case TypeChanged:
		return at || contract.Inside(path, c.Path)
	}
	return false
}

// named is the path of the member that a finding asks for.
func named(path string, f compat.Finding) string { return strings.TrimPrefix(path+"."+f.Name, ".") }

func (d *diff) change(f compat.Finding, path string) Change {
	c := Change{
		Kind: SchemaUndecided, Subject: name(d.after), Path: path, Message: "cannot be decided: " + f.Message, Witness: f.Witness,
		Old: fact(f, f.Old), New: fact(f, f.New),
		Directions: []string{f.Direction.String()}, Hurt: d.everyone(),
	}
	if f.Verdict == compat.Breaking {
		c.Kind, c.Message = SchemaBroken, fmt.Sprintf("had %s %s and has %s", f.Rule, orNothing(f.Old), orNothing(f.New))
	}
	c.File, c.Line = d.position(path)
	return c
}

// fact is one side of a finding. A name tells two missing members of one object
// apart, whose keyword is the same list.
func fact(f compat.Finding, value json.RawMessage) string {
	return strings.TrimSpace(f.Rule+" "+f.Name) + " " + string(value)
}

// add adds a change, or its direction to the one that it is the other half of.
func add(found []Change, c Change) []Change {
	for i, other := range found {
		if other.Kind == c.Kind && other.Path == c.Path && other.Old == c.Old && other.New == c.New {
			if !slices.Contains(other.Directions, c.Directions[0]) {
				found[i].Directions = append(found[i].Directions, c.Directions[0])
			}
			return found
		}
	}
	return append(found, c)
}

// fieldPath turns a place in a document, a JSON pointer, into the path of a
// payload field, or, outside of the payload, into one below "envelope".
func fieldPath(place, prefix string) string {
	rest, ok := strings.CutPrefix(place, prefix)
	path := ""
	if !ok || rest != "" && rest[0] != '/' {
		path, rest = "envelope", place
	}
	for _, token := range pointer.Tokens(rest) {
		_, err := strconv.Atoi(token)
		switch {
		case token == "":
		case token == "*" || err == nil:
			path += "[]"
		case path == "":
			path = token
		default:
			path += "." + token
		}
	}
	return path
}

// longestValue is how much of a keyword's value a message shows.
const longestValue = 120

func orNothing(value json.RawMessage) string {
	switch {
	case len(value) == 0:
		return "none"
	case len(value) > longestValue:
		return strings.ToValidUTF8(string(value[:longestValue]), "") + "…"
	}
	return string(value)
}
