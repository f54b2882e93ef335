package lint

func eventPastTense() Rule {
	return Rule{
		Name:  "event-past-tense",
		Title: "An event's name is a subject and a past participle",
		Why: "An event states what its owner has committed. A name without a past participle leaves open whether " +
			"the thing happened, and consumers act on things that may never happen.",
		Good:  "QuoteSubmitted",
		Bad:   "QuoteSubmission",
		check: checkPastTense,
	}
}

func checkPastTense(r *report) {
	for _, e := range r.current() {
		words := splitWords(e.Type)
		switch {
		case commands(words), asks(words), states(words):
		case len(words) == 1:
			r.event(e, "eventType", "has no subject; name what it happened to, as in %s%s", e.AggregateType, e.Type)
		default:
			r.event(e, "eventType", "is no fact in the past tense; end it in a participle, as in QuoteSubmitted")
		}
	}
}
