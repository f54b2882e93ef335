package lint

import "slices"

// vague are words that could stand in the name of any event.
var vague = []string{
	"Action", "Activity", "Anything", "Data", "Entity", "Event", "Generic", "Handled", "Happened", "Info",
	"Information", "Item", "Message", "Misc", "Object", "Performed", "Processed", "Record", "Something", "Stuff", "Synced",
	"Thing", "Touched",
}

func eventVague() Rule {
	return Rule{
		Name:  "event-vague",
		Title: "An event's name says which fact it is",
		Why: "A name that fits anything ends up carrying everything. Its readers must look inside to learn what " +
			"happened, and neither replay nor audit can tell the facts apart.",
		Good:  "QuotePriced",
		Bad:   "QuoteDataProcessed",
		check: checkVague,
	}
}

func checkVague(r *report) {
	for _, e := range r.current() {
		for _, word := range splitWords(e.Type) {
			if r.topicOf(e).Category == "audit-export" && word == "Event" {
				continue // there an event is what the fact is about
			}
			if slices.Contains(vague, word) && word != e.AggregateType {
				r.event(e, "eventType", "says %q, which fits any event; name the transition of %s", word, e.AggregateType)
				break
			}
		}
	}
}
