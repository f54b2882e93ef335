package lint

import (
	"fmt"
	"slices"
	"strings"
)

// standardHeaders are on every record, and repeat the envelope.
var standardHeaders = []string{
	"eventId", "eventType", "eventVersion", "correlationId", "causationId", "traceparent", "tenantId", "schemaRef", "producer",
}

func headerOnly() Rule {
	return Rule{
		Name:  "header-only",
		Title: "Nothing stands in headers alone",
		Why: "An event is rebuilt from its value: by the archive, a dead letter's export, a store that keeps no " +
			"headers. What stands only in a header is gone there, and no schema holds it to anything.",
		Good:  "headers: [salesChannel] with a payload field salesChannel",
		Bad:   "headers: [salesChannel] without one, or reads: [header.salesChannel]",
		check: checkHeaders,
	}
}

func checkHeaders(r *report) {
	for _, e := range r.current() {
		for i, name := range e.Headers {
			_, inPayload := e.Field(name)
			if !inPayload && !slices.Contains(standardHeaders, name) && !slices.Contains(envelopeFields, name) {
				r.event(e, fmt.Sprintf("headers[%d]", i), "puts %s into a header and not into the value; add it to the payload", name)
			}
		}
		for i, c := range e.Consumers {
			for j, field := range c.Reads {
				if name, ok := headerOf(field); ok {
					r.event(e, fmt.Sprintf("consumers[%d].reads[%d]", i, j), "says that %s reads the header %s; read the value", c.Group, name)
				}
			}
		}
	}
}

// headerOf is the header that a declared read means, as in header.name.
func headerOf(field string) (string, bool) {
	prefix, name, ok := strings.Cut(field, ".")
	if before, after, colon := strings.Cut(field, ":"); colon {
		prefix, name, ok = before, after, true
	}
	return name, ok && (prefix == "header" || prefix == "headers")
}
