package lint

func eventUnread() Rule {
	return Rule{
		Name:  "event-unread",
		Title: "An event has a consumer or a reason",
		Why: "An event that nobody is known to read is either read by somebody unknown, whom the next change " +
			"breaks, or costs for nothing.",
		Good:  "consumers: [...], or reasonToExist: history of drafts",
		Bad:   "an event.yaml without consumers",
		check: checkUnread,
	}
}

func checkUnread(r *report) {
	for _, e := range r.current() {
		if len(e.Consumers) == 0 && e.ReasonToExist == "" {
			r.event(e, "consumers", "names no consumer; declare who reads it, or give a reasonToExist")
		}
	}
}
