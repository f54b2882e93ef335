package policy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
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
		path := d.fieldPath(f, prefix)
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
		Old: fact(f, f.Old, d.before, f.OldPath), New: fact(f, f.New, d.after, f.NewPath),
		Directions: []string{f.Direction.String()}, Hurt: d.everyone(),
	}
	if f.Verdict == compat.Breaking {
		c.Kind, c.Message = SchemaBroken, fmt.Sprintf("had %s %s and has %s", f.Rule, orNothing(f.Old), orNothing(f.New))
	}
	c.File, c.Line = d.position(path)
	return c
}

// fact is one side of a finding, with what its schemas refer to. A name tells two
// missing members of one object apart, whose keyword is the same list. Where nobody
// knows what a finding is about, it is about the whole schema.
func fact(f compat.Finding, value json.RawMessage, e *contract.Event, place string) string {
	text := strings.TrimSpace(f.Rule+" "+f.Name) + " " + string(value)
	var targets map[string]any
	switch file, at, elsewhere := strings.Cut(place, "#"); {
	case f.OldPath == "" && f.NewPath == "":
		targets = e.SchemaTargets("", "")
	case place == "":
	case elsewhere:
		targets = e.SchemaTargets(file, at)
	default:
		targets = e.SchemaTargets(e.SchemaFile(), place)
	}
	if len(targets) == 0 {
		return text
	}
	digest, _ := json.Marshal(targets) // what was decoded encodes
	return fmt.Sprintf("%s %x", text, sha256.Sum256(digest))
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

// fieldPath turns the place of a finding in a document, a JSON pointer, into the path
// of a payload field, or, outside of the payload, into one below "envelope".
func (d *diff) fieldPath(f compat.Finding, prefix string) string {
	rest, ok := strings.CutPrefix(f.Path, prefix)
	path := ""
	if !ok || rest != "" && rest[0] != '/' {
		path, rest = "envelope", f.Path
	}
	for _, token := range pointer.Tokens(rest) {
		_, err := strconv.Atoi(token)
		switch {
		case token == "":
		case token == "*" || err == nil:
			path = d.within(path, token, f)
		default:
			path = member(path, token)
		}
	}
	return path
}

func member(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// within is the path of what a star or a number stands for at a path: a value of a
// map, of those whose names match a pattern, an element of a list, or a member of
// that name.
func (d *diff) within(path, token string, f compat.Finding) string {
	list := path + "[]"
	tries := []string{path + "[" + token + "]", member(path, token), list}
	if token == "*" {
		matched, others := d.patterns(path, f)
		tries = slices.Concat(matched, []string{list, member(path, token)}, others)
	}
	for _, try := range tries {
		if d.places()[try] {
			return try
		}
	}
	return list
}

// patterns are the paths of the values at a path that are told by a pattern of their
// names: those of the pattern that a finding is about, and the others.
func (d *diff) patterns(path string, f compat.Finding) (matched, others []string) {
	for _, place := range slices.Sorted(maps.Keys(d.places())) {
		rest, below := strings.CutPrefix(place, member(path, "/"))
		pattern, whole := strings.CutSuffix(rest, "/")
		switch {
		case !below || !whole:
		case strings.Contains(f.OldPath+f.NewPath, "/patternProperties/"+pointer.Escape(pattern)):
			matched = append(matched, place)
		default:
			others = append(others, place)
		}
	}
	return matched, others
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
