package lint

func topicShared() Rule {
	return Rule{
		Name:  "topic-shared",
		Title: "A topic has one owner",
		Why: "On a topic that several services write nobody can decide about keys, retention or versions, and one " +
			"producer's mistake stops the others' readers.",
		Good:  "oms.order.events.v1 with events of order-service alone",
		Bad:   "one topic with events of order-service and billing-service",
		check: checkShared,
	}
}

func checkShared(r *report) {
	for _, e := range r.current() {
		if t := r.topicOf(e); t.Owner != "" && e.OwnerService != t.Owner {
			r.event(e, "ownerService", "is owned by %s but stands on a topic of %s; move it to a topic of its owner",
				e.OwnerService, t.Owner)
		}
	}
}
