package lint

import (
	"strings"
	"time"

	"factline.dev/contract"
)

func deprecation() Rule {
	return Rule{
		Name:  "deprecation",
		Title: "What goes away says when, why and what comes instead",
		Why: "Consumers plan their move by the record. One without a reason or successor is not acted on, and one " +
			"whose day has passed is believed by nobody.",
		Good:  "deprecation: {since: 2026-01-15, removeAfter: 2026-07-15, replacedBy: schema://oms.order.events.v2/OrderCaptured/2, reason: ...}",
		Bad:   "removeAfter before since, or replacedBy: OrderCaptured",
		check: checkDeprecation,
	}
}

func checkDeprecation(r *report) {
	for _, e := range r.current() {
		if e.Deprecation != nil {
			checkEnd(r, e, e.Deprecation)
		}
	}
}

func checkEnd(r *report, e *contract.Event, d *contract.Deprecation) {
	if d.RemoveAfter < d.Since {
		r.event(e, "deprecation.removeAfter", "is before %s, the day since which the event is deprecated", d.Since)
	}
	if len(d.Reason) < shortestReason {
		r.event(e, "deprecation.reason", "does not say why the event goes away")
	}
	if d.ReplacedBy != "" {
		if _, ok := r.Schema(d.ReplacedBy); !ok {
			r.event(e, "deprecation.replacedBy", "names %q, which is no schema of the catalogue; write schema://<topic>/<event>/<version>", d.ReplacedBy)
		}
	}
	if today := r.today.Format(time.DateOnly); d.RemoveAfter < today && len(e.Consumers) > 0 {
		r.event(e, "deprecation.removeAfter", "was %s and %s still read it; move them, or give them more time", d.RemoveAfter, groups(e))
	}
}

func groups(e *contract.Event) string {
	names := make([]string, len(e.Consumers))
	for i, c := range e.Consumers {
		names[i] = c.Group
	}
	return strings.Join(names, ", ")
}
