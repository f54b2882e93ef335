package compat

import (
	"encoding/json"
	"fmt"
	"strings"
)

// message says what the reader asks, what the writer asks, and who is hurt.
func (c *comparison) message(f Finding) string {
	reads, writes, reader, writer := f.New, f.Old, "new", "old"
	if f.Direction == Forward {
		reads, writes, reader, writer = f.Old, f.New, "old", "new"
	}
	where := "the event"
	if f.Path != "" {
		where = f.Path
	}
	text := fmt.Sprintf("%s: %s readers need %s %s", f.Direction, reader, where, need(f.Rule, reads))
	if len(writes) == 0 {
		return text + fmt.Sprintf("; the %s schema does not ask that", writer)
	}
	return text + fmt.Sprintf("; the %s schema says %s", writer, shown(writes))
}

func need(rule string, value json.RawMessage) string {
	v := shown(value)
	switch rule {
	case "type":
		return "to be of type " + v
	case "enum":
		return "to be one of " + v
	case "const":
		return "to be " + v
	case "minimum":
		return "to be at least " + v
	case "maximum":
		return "to be at most " + v
	case "exclusiveMinimum":
		return "to be more than " + v
	case "exclusiveMaximum":
		return "to be less than " + v
	case "required":
		return "to have all of " + v
	case "properties", "additionalProperties", "patternProperties", "items", "prefixItems":
		return "to be absent (" + rule + ")"
	case "schema":
		return "to keep the whole schema there"
	}
	if len(value) == 0 {
		return "to keep " + rule
	}
	return "to keep " + rule + " " + v
}

const maxShownInWords = 120

func shown(value json.RawMessage) string {
	text := string(value)
	if len(text) > maxShownInWords {
		return strings.ToValidUTF8(text[:maxShownInWords], "") + "…"
	}
	return text
}
