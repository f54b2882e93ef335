package lint

import "fmt"

func consumerReads() Rule {
	return Rule{
		Name:  "consumer-reads",
		Title: "What a consumer reads exists in the schema",
		Why: "Who is hurt by a removed field is worked out from the declared reads. A misspelt one protects nobody, " +
			"and its reader is broken without warning.",
		Good:  "reads: [orderId, totals.oneTimeTotal]",
		Bad:   "reads: [orderID]",
		check: checkReads,
	}
}

func checkReads(r *report) {
	for _, e := range r.current() {
		for i, c := range e.Consumers {
			for j, field := range c.Reads {
				if _, ok := e.Field(field); !ok && field != "*" {
					r.event(e, fmt.Sprintf("consumers[%d].reads[%d]", i, j), "says that %s reads %s, which the payload does not declare",
						c.Group, field)
				}
			}
		}
	}
}
