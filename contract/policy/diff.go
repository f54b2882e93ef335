package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"factline.dev/contract"
)

// diff finds what changed between the payload fields of two contracts of an
// event.
type diff struct {
	before, after *contract.Event
	changes       []Change
}

func (d *diff) fields() {
	var gone, come []contract.Field
	for _, f := range d.before.Fields() {
		if _, kept := d.after.Field(f.Path); !kept && !below(gone, f.Path) {
			gone = append(gone, f)
		}
	}
	for _, f := range d.after.Fields() {
		if _, known := d.before.Field(f.Path); !known {
			come = append(come, f)
		}
	}
	for _, f := range gone {
		d.gone(f, &come)
	}
	for _, f := range come {
		if !below(come, f.Path) {
			d.come(f)
		}
	}
	for _, f := range d.before.Fields() {
		if g, kept := d.after.Field(f.Path); kept {
			d.kept(f, g)
		}
	}
}

// below reports whether one of the fields holds the path.
func below(fields []contract.Field, path string) bool {
	return slices.ContainsFunc(fields, func(f contract.Field) bool { return contract.Inside(path, f.Path) })
}

func (d *diff) put(kind Kind, path, message string, hurt []string) {
	c := Change{
		Kind: kind, Subject: name(d.after), Path: path, Message: message, Hurt: hurt,
	}
	c.Old, c.New = d.states(path)
	c.File, c.Line = d.position(path)
	d.changes = append(d.changes, c)
}

// position is where a field stands, or what held it.
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
// compared for itself, and as a whole where nothing else says what it holds.
func (d *diff) states(path string) (was, is string) {
	before, existed := d.before.Field(path)
	after, exists := d.after.Field(path)
	if existed && exists && before.Type == after.Type {
		return keywords(d.before, path), keywords(d.after, path)
	}
	return whole(d.before, path), whole(d.after, path)
}

// whole is everything that a field is, with what it holds and refers to.
func whole(e *contract.Event, path string) string {
	f, ok := e.Field(path)
	if !ok {
		return ""
	}
	return described(f, e.FieldSchema(path))
}

// keywords are what a field is, its kind with that of its elements first.
func keywords(e *contract.Event, path string) string {
	f, ok := e.Field(path)
	if !ok {
		return ""
	}
	return described(f, e.FieldKeywords(path))
}

func described(f contract.Field, found map[string]any) string {
	text, err := json.Marshal(found)
	if err != nil {
		return f.Type + " " + fmt.Sprint(found)
	}
	return f.Type + " " + string(text)
}

func (d *diff) everyone() []string           { return groups(d.before, d.after) }
func (d *diff) readers(path string) []string { return readersOf(path, d.before, d.after) }

func (d *diff) gone(f contract.Field, come *[]contract.Field) {
	if i := slices.IndexFunc(*come, func(g contract.Field) bool { return similar(f, g) }); i >= 0 {
		to := (*come)[i]
		*come = slices.DeleteFunc(*come, func(g contract.Field) bool { return g.Path == to.Path || contract.Inside(to.Path, g.Path) })
		d.put(FieldRenamed, f.Path, fmt.Sprintf("is gone, and %s looks like it", to.Path), d.readers(f.Path))
		renamed := &d.changes[len(d.changes)-1]
		renamed.renamedTo, renamed.New = to.Path, to.Path+" "+whole(d.after, to.Path)
		return
	}
	if f.Required {
		d.put(RequiredRemoved, f.Path, "was required and is gone", d.everyone())
		return
	}
	readers := d.readers(f.Path)
	message := "was optional and is gone, and no declared consumer reads it"
	if len(readers) > 0 {
		message = "was optional and is gone, and is read by " + strings.Join(readers, ", ")
	}
	d.put(OptionalRemoved, f.Path, message, readers)
}

func (d *diff) come(f contract.Field) {
	if f.Required {
		d.put(RequiredAdded, f.Path, "is new and required", d.everyone())
		return
	}
	d.put(OptionalAdded, f.Path, "is new and optional", nil)
}

func (d *diff) kept(before, after contract.Field) {
	path := before.Path
	switch {
	case !before.Required && after.Required:
		d.put(MadeRequired, path, "was optional and is required", d.everyone())
	case before.Required && !after.Required:
		d.put(MadeOptional, path, "was required and is optional", d.everyone())
	}
	if d.retyped(before, after) {
		return
	}
	d.values(before, after)
	d.precision(before, after)
	d.meaning(before, after)
}

func (d *diff) retyped(before, after contract.Field) bool {
	was, is := before.Type, after.Type
	if before.Format != after.Format {
		was, is = was+" "+before.Format, is+" "+after.Format
	}
	switch {
	case was == is:
		return false
	case numeric(before) && numeric(after):
		d.put(NumberPrecision, before.Path, fmt.Sprintf("was %s and is %s", was, is), d.everyone())
	default:
		d.put(TypeChanged, before.Path, fmt.Sprintf("was %s and is %s", strings.TrimSpace(was), strings.TrimSpace(is)), d.everyone())
	}
	return true
}

func numeric(f contract.Field) bool { return f.Type == "integer" || f.Type == "number" }

func (d *diff) values(before, after contract.Field) {
	lost, won := minus(before.Enum, after.Enum), minus(after.Enum, before.Enum)
	switch {
	case before.Enum == nil && after.Enum == nil:
		return
	case before.Enum == nil:
		d.put(EnumValueRemoved, before.Path, "was open and takes only "+strings.Join(after.Enum, ", "), d.everyone())
		return
	case after.Enum == nil:
		d.put(EnumValueAdded, before.Path, "takes any value now", d.everyone())
		return
	}
	if len(lost) > 0 {
		d.put(EnumValueRemoved, before.Path, "does not take "+strings.Join(lost, ", ")+" any more", d.everyone())
	}
	if len(won) > 0 {
		message := "takes " + strings.Join(won, ", ") + " too"
		if readers := d.readers(before.Path); len(readers) > 0 {
			message += ", which " + strings.Join(readers, ", ") + " may not handle"
		}
		d.put(EnumValueAdded, before.Path, message, d.everyone())
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return slices.Contains(b, v) })
}

// precise are the keywords that say how exact a number is.
var precise = []string{"multipleOf", "pattern"}

func (d *diff) precision(before, after contract.Field) {
	was, is := d.before.FieldKeywords(before.Path), d.after.FieldKeywords(after.Path)
	if !numeric(before) && !decimal(was) && !decimal(is) {
		return
	}
	for _, keyword := range precise {
		if old, now := fmt.Sprint(was[keyword]), fmt.Sprint(is[keyword]); old != now {
			d.put(NumberPrecision, before.Path, fmt.Sprintf("had the %s %s and has %s", keyword, orNone(was[keyword]), orNone(is[keyword])), d.readers(before.Path))
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
func (d *diff) meaning(before, after contract.Field) {
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
		d.put(kind, before.Path, fmt.Sprintf("was described as %q and is as %q", strings.Join(was, " "), strings.Join(is, " ")), d.readers(before.Path))
	}
}

// words are the words of a text, whatever their case, spacing and punctuation.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

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
	a, b := nameWords(gone.Path), nameWords(come.Path)
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
