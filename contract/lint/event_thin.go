package lint

import (
	"slices"
	"strings"

	"factline.dev/contract"
)

func eventThin() Rule {
	return Rule{
		Name:  "event-thin",
		Title: "A payload holds more than ids",
		Why: "A reader that gets only ids must call the producer back, for every event and in every replay, and " +
			"then sees today's state instead of what was true. Put in what the consumers need.",
		Good:  "payload: orderId, quoteId, customerId, totals, lineSummaries",
		Bad:   "payload: orderId, capturedAt",
		check: checkThin,
	}
}

func checkThin(r *report) {
	for _, e := range r.current() {
		if !slices.ContainsFunc(e.Fields(), substantial) {
			r.event(e, "payloadSchema", "carries only ids, times and actors; add what its consumers would have to ask for")
		}
	}
}

// substantial reports whether a field tells more than who and when.
func substantial(f contract.Field) bool {
	if f.Depth() > 0 {
		return false // its parent counts
	}
	words := splitWords(f.Path)
	last := words[len(words)-1]
	return !slices.Contains([]string{"Id", "Ids", "Ref", "At", "By", "id", "ids", "ref", "at", "by"}, last) &&
		!strings.HasPrefix(f.Format, "date")
}
