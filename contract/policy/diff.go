package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"factline.dev/contract"
)

// diff finds what changed between two contracts of an event.
type diff struct {
	before, after *contract.Event
	changes       []Change
	known         map[string]bool
}

// places are the paths of all fields in either state.
func (d *diff) places() map[string]bool {
	if d.known == nil {
		d.known = map[string]bool{}
		for _, f := range slices.Concat(d.before.Places(), d.after.Places(), d.before.EnvelopeFields(), d.after.EnvelopeFields()) {
			d.known[f.Path] = true
		}
	}
	return d.known
}

// fields compares the fields of the payload and those of the envelope.
func (d *diff) fields() {
	newPart(d, d.before.Places(), d.after.Places(), d.readers).compare()
	everyone := func(string) []string { return d.everyone() }
	newPart(d, d.before.EnvelopeFields(), d.after.EnvelopeFields(), everyone).compare()
}

func (d *diff) everyone() []string           { return groups(d.before, d.after) }
func (d *diff) readers(path string) []string { return readersOf(path, d.before, d.after) }

// part is the payload or the envelope in both states.
type part struct {
	*diff
	old, now       []contract.Field
	oldBy, nowBy   map[string]contract.Field
	readersOfField func(path string) []string
}

func newPart(d *diff, old, now []contract.Field, readers func(string) []string) *part {
	return &part{diff: d, old: old, now: now, oldBy: byPath(old), nowBy: byPath(now), readersOfField: readers}
}

func byPath(fields []contract.Field) map[string]contract.Field {
	found := make(map[string]contract.Field, len(fields))
	for _, f := range fields {
		found[f.Path] = f
	}
	return found
}

func (p *part) compare() {
	var gone, come []contract.Field
	for _, f := range p.old {
		if _, kept := p.nowBy[f.Path]; !kept && !below(gone, f.Path) && !ofList(f) {
			gone = append(gone, f)
		}
	}
	for _, f := range p.now {
		if _, known := p.oldBy[f.Path]; !known && !ofList(f) {
			come = append(come, f)
		}
	}
	for _, f := range gone {
		p.gone(f, &come)
	}
	for _, f := range come {
		if !below(come, f.Path) {
			p.come(f)
		}
	}
	for _, f := range p.old {
		if g, kept := p.nowBy[f.Path]; kept {
			p.kept(f, g)
		}
	}
}

// below reports whether one of the fields holds the path.
func below(fields []contract.Field, path string) bool {
	return slices.ContainsFunc(fields, func(f contract.Field) bool { return contract.Inside(path, f.Path) })
}

// ofList reports whether the field is the elements of a list, which come and go
// with its type.
func ofList(f contract.Field) bool { return strings.HasSuffix(f.Path, "[]") }

// put adds a change, or says more of the one of the same kind: a field of several
// forms may change in each.
func (p *part) put(kind Kind, path, message string, hurt []string) {
	for i, other := range p.changes {
		if other.Kind == kind && other.Path == path {
			if !strings.Contains(other.Message, message) {
				p.changes[i].Message += ", and " + message
			}
			return
		}
	}
	c := Change{Kind: kind, Subject: name(p.after), Path: path, Message: message, Hurt: hurt}
	c.Old, c.New = p.states(path)
	c.File, c.Line = p.place(path)
	p.changes = append(p.changes, c)
}

// place is where a field stands, or what held it.
func (p *part) place(path string) (file string, line int) {
	if f, ok := p.nowBy[path]; ok {
		return f.Position()
	}
	return p.position(path)
}

// position is where a payload field stands, or what held it.
func (d *diff) position(path string) (file string, line int) {
	for path != "" {
		if file, line = d.after.FieldPosition(path); line > 0 {
			return file, line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return d.after.FieldPosition("")
}

// states are what a field was and is: by its own keywords where what it holds is
// compared for itself, and as a whole where nothing else says what it holds or
// where it has several forms.
func (p *part) states(path string) (was, is string) {
	before, existed := p.oldBy[path]
	after, exists := p.nowBy[path]
	if existed && exists && before.Type == after.Type && len(before.Forms())+len(after.Forms()) == 2 {
		return described(before, before.Keywords()), described(after, after.Keywords())
	}
	if existed {
		was = described(before, before.Schema())
	}
	if exists {
		is = described(after, after.Schema())
	}
	return was, is
}

// described is what a field is, its kind with that of its elements first.
func described(f contract.Field, found map[string]any) string {
	text, err := json.Marshal(found)
	if err != nil {
		return f.Type + " " + fmt.Sprint(found)
	}
	return f.Type + " " + string(text)
}

func (p *part) gone(f contract.Field, come *[]contract.Field) {
	if i := slices.IndexFunc(*come, func(g contract.Field) bool { return similar(f, g) }); i >= 0 {
		to := (*come)[i]
		*come = slices.DeleteFunc(*come, func(g contract.Field) bool { return g.Path == to.Path || contract.Inside(to.Path, g.Path) })
		p.put(FieldRenamed, f.Path, fmt.Sprintf("is gone, and %s looks like it", to.Path), p.readersOfField(f.Path))
		renamed := &p.changes[len(p.changes)-1]
		renamed.renamedTo, renamed.New = to.Path, to.Path+" "+obligation(to)+" "+described(to, to.Schema())
		renamed.Old = obligation(f) + " " + renamed.Old // which no change beside this one tells
		return
	}
	if f.Required {
		p.put(RequiredRemoved, f.Path, "was required and is gone", p.everyone())
		return
	}
	readers := p.readersOfField(f.Path)
	message := "was optional and is gone, and no declared consumer reads it"
	if len(readers) > 0 {
		message = "was optional and is gone, and is read by " + strings.Join(readers, ", ")
	}
	p.put(OptionalRemoved, f.Path, message, readers)
}

func obligation(f contract.Field) string {
	if f.Required {
		return "required"
	}
	return "optional"
}

func (p *part) come(f contract.Field) {
	switch {
	case f.Required:
		p.put(RequiredAdded, f.Path, "is new and required", p.everyone())
	case f.Alternative:
		p.put(OptionalAdded, f.Path, "is new in some forms of what holds it", nil)
	default:
		p.put(OptionalAdded, f.Path, "is new and optional", nil)
	}
}

func (p *part) kept(before, after contract.Field) {
	p.obliged(before, after)
	for _, pair := range pairs(before.Forms(), after.Forms()) {
		p.form(pair[0], pair[1])
	}
}

// pairs are the forms of a field that differ, those of one type together and the
// others in the order of the schemas. What only one state has is for the comparison
// of the schemas to judge.
func pairs(before, after []contract.Field) (found [][2]contract.Field) {
	was, is := unlike(before, after), unlike(after, before)
	pair := func(alike func(f, g contract.Field) bool) {
		was = slices.DeleteFunc(was, func(f contract.Field) bool {
			i := slices.IndexFunc(is, func(g contract.Field) bool { return alike(f, g) })
			if i >= 0 {
				found = append(found, [2]contract.Field{f, is[i]})
				is = slices.Delete(is, i, i+1)
			}
			return i >= 0
		})
	}
	pair(func(f, g contract.Field) bool { return f.Type == g.Type })
	pair(func(contract.Field, contract.Field) bool { return true })
	return found
}

// unlike are the forms that none of the others says the same as.
func unlike(forms, others []contract.Field) []contract.Field {
	text := func(f contract.Field) string { return obligation(f) + " " + described(f, f.Keywords()) }
	said := make(map[string]bool, len(others))
	for _, other := range others {
		said[text(other)] = true
	}
	return slices.DeleteFunc(slices.Clone(forms), func(f contract.Field) bool { return said[text(f)] })
}

func (p *part) form(before, after contract.Field) {
	p.obliged(before, after)
	if p.retyped(before, after) {
		return
	}
	p.values(before, after)
	p.precision(before, after)
	p.meaning(before, after)
}

func (p *part) obliged(before, after contract.Field) {
	switch {
	case !before.Required && after.Required:
		p.put(MadeRequired, before.Path, "was optional and is required", p.everyone())
	case before.Required && !after.Required:
		p.put(MadeOptional, before.Path, "was required and is optional", p.everyone())
	}
}

func (p *part) retyped(before, after contract.Field) bool {
	was, is := before.Type, after.Type
	if before.Format != after.Format {
		was, is = was+" "+before.Format, is+" "+after.Format
	}
	list, isElement := strings.CutSuffix(before.Path, "[]")
	switch {
	case was == is:
		return false
	case isElement && slices.ContainsFunc(p.changes, func(c Change) bool { return c.Kind == TypeChanged && c.Path == list }):
	case numeric(before) && numeric(after):
		p.put(NumberPrecision, before.Path, fmt.Sprintf("was %s and is %s", was, is), p.everyone())
	default:
		p.put(TypeChanged, before.Path, fmt.Sprintf("was %s and is %s", strings.TrimSpace(was), strings.TrimSpace(is)), p.everyone())
	}
	return true
}

func numeric(f contract.Field) bool { return f.Type == "integer" || f.Type == "number" }

func (p *part) values(before, after contract.Field) {
	lost, won := minus(before.Enum, after.Enum), minus(after.Enum, before.Enum)
	switch {
	case before.Enum == nil && after.Enum == nil:
		return
	case before.Enum == nil:
		p.put(EnumValueRemoved, before.Path, "was open and takes only "+strings.Join(after.Enum, ", "), p.everyone())
		return
	case after.Enum == nil:
		p.put(EnumValueAdded, before.Path, "takes any value now", p.everyone())
		return
	}
	if len(lost) > 0 {
		p.put(EnumValueRemoved, before.Path, "does not take "+strings.Join(lost, ", ")+" any more", p.everyone())
	}
	if len(won) > 0 {
		message := "takes " + strings.Join(won, ", ") + " too"
		if readers := p.readersOfField(before.Path); len(readers) > 0 {
			message += ", which " + strings.Join(readers, ", ") + " may not handle"
		}
		p.put(EnumValueAdded, before.Path, message, p.everyone())
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return slices.Contains(b, v) })
}

// precise are the keywords that say how exact a number is.
var precise = []string{"multipleOf", "pattern"}

func (p *part) precision(before, after contract.Field) {
	was, is := before.Keywords(), after.Keywords()
	if !numeric(before) && !decimal(was) && !decimal(is) {
		return
	}
	for _, keyword := range precise {
		if old, now := fmt.Sprint(was[keyword]), fmt.Sprint(is[keyword]); old != now {
			p.put(NumberPrecision, before.Path, fmt.Sprintf("had the %s %s and has %s", keyword, orNone(was[keyword]), orNone(is[keyword])), p.readersOfField(before.Path))
			return
		}
	}
}

func orNone(v any) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(v)
}

// decimal reports whether a string's pattern is that of a decimal number.
func decimal(keywords map[string]any) bool {
	pattern, _ := keywords["pattern"].(string)
	return keywords["type"] == "string" && strings.Contains(pattern, `\.`) &&
		(strings.Contains(pattern, "0-9") || strings.Contains(pattern, `\d`))
}

// meaning compares the words about fields whose meaning their readers act on.
func (p *part) meaning(before, after contract.Field) {
	var kind Kind
	switch {
	case before.Enum != nil && after.Enum != nil:
		kind = EnumMeaning
	case strings.HasPrefix(before.Format, "date") || before.Format == "time":
		kind = TimeMeaning
	default:
		return
	}
	was, is := words(before.Title+" "+before.Description), words(after.Title+" "+after.Description)
	if !slices.Equal(was, is) {
		p.put(kind, before.Path, fmt.Sprintf("was described as %q and is as %q", strings.Join(was, " "), strings.Join(is, " ")), p.readersOfField(before.Path))
	}
}

// words are the words of a text, whatever their case, spacing and punctuation.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// inEnvelope begins the paths of the envelope's fields, and says nothing about them.
const inEnvelope = "envelope."

// similar reports whether a new field looks like one that is gone: it holds the
// same, and at least half of the words of both names are in common, as in
// customerId and customer.id.
func similar(gone, come contract.Field) bool {
	if gone.Type != come.Type || gone.Format != come.Format || !slices.Equal(gone.Enum, come.Enum) {
		return false
	}
	if text := words(gone.Description); len(text) > 0 && slices.Equal(text, words(come.Description)) {
		return true
	}
	a, b := nameWords(strings.TrimPrefix(gone.Path, inEnvelope)), nameWords(strings.TrimPrefix(come.Path, inEnvelope))
	common := len(a) - len(minus(a, b))
	return 2*common >= len(a)+len(minus(b, a)) && common > 0
}

func nameWords(path string) []string {
	var b strings.Builder
	for i, r := range path {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	found := words(b.String())
	slices.Sort(found)
	return slices.Compact(found)
}
