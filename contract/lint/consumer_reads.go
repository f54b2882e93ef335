package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

func consumerReads() Rule {
	return Rule{
		Name:  "consumer-reads",
		Title: "What a consumer reads exists in the schema",
		Why: "Who is hurt by a removed field is worked out from the declared reads. A misspelt one protects nobody, " +
			"and its reader is broken without warning. What stands at one place of a list or below a pattern of names " +
			"is read with all beside it.",
		Good:  "reads: [orderId, totals.oneTimeTotal, labels]",
		Bad:   "reads: [orderID], or reads: [window[0]] in place of window",
		check: checkReads,
	}
}

// narrow leads to a place of a list or a pattern of names, which no generated type can
// leave out.
var narrow = regexp.MustCompile(`\[[0-9]+\]|(^|\.)/.*/`)

func checkReads(r *report) {
	for _, e := range r.current() {
		for i, c := range e.Consumers {
			for j, field := range c.Reads {
				said := fmt.Sprintf("consumers[%d].reads[%d]", i, j)
				if _, ok := e.Field(field); !ok && field != "*" {
					r.event(e, said, "says that %s reads %s, which the payload does not declare", c.Group, field)
				} else if at := narrow.FindStringIndex(field); at != nil {
					whole := cmp.Or(strings.TrimSuffix(field[:at[0]], "[]"), `"*"`)
					r.event(e, said, "says that %s reads %s, a part of a list or map that is read whole; declare %s", c.Group, field, whole)
				}
			}
		}
	}
}
