package lint

func eventCommand() Rule {
	return Rule{
		Name:  "event-command",
		Title: "An event is no command",
		Why: "A command on a topic has no one who answers for it: whoever reads it decides whether it happens, and " +
			"a replay orders everything again. Send commands over HTTP and publish what came of them.",
		Good:  "QuoteSubmitted",
		Bad:   "SubmitQuote",
		check: checkCommand,
	}
}

func checkCommand(r *report) {
	for _, e := range r.current() {
		words := splitWords(e.Type)
		switch {
		case !commands(words):
		case len(words) == 1:
			r.event(e, "eventType", "is a command; state the fact instead: %s%s", e.AggregateType, verbs[words[0]])
		default:
			r.event(e, "eventType", "is a command; state the fact instead: %s", asFact(words))
		}
	}
}
