package scaffold

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"factline.dev/contract/lint"
)

// Field is one field of the payload.
type Field struct {
	Name string
	// Type is one of string, integer, boolean, decimal, date, date-time.
	Type string
	// Optional says that an event may come without it.
	Optional bool
	// Description says what it holds. Default a mark for the author.
	Description string
}

// kind is how a type of field looks in a schema and what an example holds.
type kind struct {
	schema string
	sample func(name string, now time.Time) any
}

func kinds() map[string]kind {
	fixed := func(value any) func(string, time.Time) any { return func(string, time.Time) any { return value } }
	return map[string]kind{
		"string":    {`"type": "string"`, func(name string, _ time.Time) any { return strings.ToLower(strings.TrimSuffix(name, "Id")) + "_1" }},
		"integer":   {`"type": "integer"`, fixed(1)},
		"boolean":   {`"type": "boolean"`, fixed(true)},
		"decimal":   {`"type": "string", "pattern": "^-?[0-9]+\\.[0-9]{2,6}$"`, fixed("12.00")},
		"date":      {`"type": "string", "format": "date"`, func(_ string, now time.Time) any { return now.Format(time.DateOnly) }},
		"date-time": {`"type": "string", "format": "date-time"`, func(_ string, now time.Time) any { return instant(now) }},
	}
}

func instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// Schema is the field's keywords but its description.
func (f Field) Schema() string { return kinds()[f.Type].schema }

var fieldName = regexp.MustCompile(`^[a-z][A-Za-z0-9]{0,63}$`)

// ParseField reads name[?][:type][=description], such as
// "weightGrams?:integer=What it weighs." The question mark makes it optional; the
// type is a string where none is given.
func ParseField(text string) (Field, error) {
	head, description, _ := strings.Cut(text, "=")
	name, kindName, typed := strings.Cut(head, ":")
	name, optional := strings.CutSuffix(name, "?")
	if !typed {
		kindName = "string"
	}
	f := Field{Name: name, Type: kindName, Optional: optional, Description: strings.TrimSpace(description)}
	return f, f.check()
}

func (f Field) check() error {
	if !fieldName.MatchString(f.Name) {
		return fmt.Errorf("scaffold: read the field %q: its name must be in camelCase, letters and digits, at most 64; write it as weightGrams?:integer=What it weighs", f.Name)
	}
	if _, ok := kinds()[f.Type]; !ok {
		return fmt.Errorf("scaffold: read the field %s: %q is none of %s; draft it as one of them and edit its schema afterwards",
			f.Name, f.Type, strings.Join(slices.Sorted(maps.Keys(kinds())), ", "))
	}
	return nil
}

func (f Field) withDefaults() Field {
	if f.Description == "" {
		f.Description = todo("say what it holds")
	}
	return f
}

func todo(what string) string { return lint.Undecided + ": " + what }
