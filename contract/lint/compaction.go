package lint

func compaction() Rule {
	return Rule{
		Name:  "compaction",
		Title: "Only current-state topics are compacted",
		Why: "Compaction keeps the last record of a key and throws the rest away. On a lifecycle topic that is the " +
			"evidence of how the entity came to be what it is, and replays start in the middle.",
		Good:  "category: current-state, cleanupPolicy: compact",
		Bad:   "category: domain, cleanupPolicy: compact",
		check: checkCompaction,
	}
}

func checkCompaction(r *report) {
	for _, t := range r.Topics() {
		state, compact := t.Category == "current-state", t.CleanupPolicy == "compact"
		switch {
		case compact && !state:
			r.topic(t, "cleanupPolicy", "is compacted but its category is %s; use delete with a retention", t.Category)
		case state && !compact:
			r.topic(t, "cleanupPolicy", "is a current-state topic; use compact, or the state of quiet keys expires")
		}
	}
}
