package lint

import (
	"slices"
	"strings"

	"factline.dev/contract"
)

func payloadTyped() Rule {
	return Rule{
		Name:  "payload-typed",
		Title: "A payload says what is in it",
		Why: "A payload without fields, or with one that may hold anything, is no contract: nothing refuses a wrong " +
			"event, and each consumer learns the shape from the records it happens to see.",
		Good:  "lines: {type: array, items: {type: object, required: [offerId], properties: {offerId: {type: string}}}}",
		Bad:   "data: {}, or data: {type: object}",
		check: checkTyped,
	}
}

func checkTyped(r *report) {
	for _, e := range r.current() {
		fields := e.Fields()
		if len(fields) == 0 {
			r.add(e.SchemaFile(), e.Type, "declares no field of the payload; name each with its type")
		}
		for _, f := range fields {
			if untyped(f, fields) {
				r.field(e, f.Path, "has the field %s, which may hold anything (%s); give it a type and its own fields", f.Path, f.Type)
			}
		}
	}
}

// untyped reports whether nothing is known of what a field holds.
func untyped(f contract.Field, all []contract.Field) bool {
	kind := f.Type[strings.LastIndex(f.Type, " ")+1:]
	if kind == "any" || kind == "array" {
		return true
	}
	return kind == "object" && !slices.ContainsFunc(all, func(other contract.Field) bool {
		rest, below := strings.CutPrefix(other.Path, f.Path)
		return below && strings.Contains(rest, ".")
	})
}
