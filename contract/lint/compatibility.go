package lint

func compatibility() Rule {
	return Rule{
		Name:  "compatibility",
		Title: "What others rely on promises to stay compatible",
		Why: "compatibility: none says that any version may change at will, and a check of changes then lets breaks of " +
			"its payload pass. On a public or integration topic nobody can know all who rely on it.",
		Good:  "compatibility: additive; compatibility: none on a private or operational topic",
		Bad:   "compatibility: none on a public topic",
		check: checkCompatibility,
	}
}

func checkCompatibility(r *report) {
	for _, e := range r.current() {
		if t := r.topicOf(e); e.Compatibility == "none" && t.Visibility != "private" && t.Visibility != "operational" {
			r.event(e, "compatibility", "promises nothing (none) on a topic that is %s; say additive or backward, or make the topic private", t.Visibility)
		}
	}
}
