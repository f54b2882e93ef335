package compat

import (
	"encoding/json"
	"fmt"
	"strings"
)

// message says what the reader asks, what the writer asks, and who is hurt.
func (c *comparison) message(q requirement, f Finding) string {
	reads, writes, reader, writer := f.New, f.Old, "new", "old"
	if f.Direction == Forward {
		reads, writes, reader, writer = f.Old, f.New, "old", "new"
	}
	where := "the event"
	if f.Path != "" {
		where = f.Path
	}
	text := fmt.Sprintf("%s: %s readers need %s %s", f.Direction, reader, where, q.need(reads))
	if len(writes) == 0 {
		return text + fmt.Sprintf("; the %s schema does not ask that", writer)
	}
	return text + fmt.Sprintf("; the %s schema says %s", writer, shown(writes))
}

// need says a requirement in words.
func (q requirement) need(value json.RawMessage) string {
	v := shown(value)
	switch q.rule {
	case "required":
		return fmt.Sprintf("to have %q", q.name)
	case "properties", "additionalProperties", "patternProperties":
		return "to be absent (" + q.rule + ")"
	case "items", "prefixItems":
		return "to be no element (" + q.rule + ")"
	case "schema":
		return "to keep the schema there, which is " + v
	case "minLength", "minItems", "minProperties":
		return "to have at least " + v + " " + counted(q.rule)
	case "maxLength", "maxItems", "maxProperties":
		return "to have at most " + v + " " + counted(q.rule)
	}
	if words, ok := needs()[q.rule]; ok {
		return words + v
	}
	return strings.TrimSpace("to keep " + q.rule + " " + v)
}

func counted(rule string) string {
	switch {
	case strings.HasSuffix(rule, "Length"):
		return "characters"
	case strings.HasSuffix(rule, "Items"):
		return "elements"
	}
	return "members"
}

func needs() map[string]string {
	return map[string]string{
		"type": "to be of type ", "enum": "to be one of ", "const": "to be ", "format": "to have the format ",
		"minimum": "to be at least ", "maximum": "to be at most ", "exclusiveMinimum": "to be more than ",
		"exclusiveMaximum": "to be less than ", "multipleOf": "to be a multiple of ", "pattern": "to match ",
		"anyOf": "to have one of the forms ", "oneOf": "to have exactly one of the forms ", "not": "not to be ",
		"contains": "to have an element that is ", "maxContains": "to have at most so many elements that are counted: ",
	}
}

const maxShownInWords = 120

func shown(value json.RawMessage) string {
	text := string(value)
	if len(text) > maxShownInWords {
		return strings.ToValidUTF8(text[:maxShownInWords], "") + "…"
	}
	return text
}
