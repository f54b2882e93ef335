package lint

func topicShared() Rule {
	return Rule{
		Name:  "topic-shared",
		Title: "A topic has one owner and one area",
		Why: "On a topic that several services write nobody can decide about keys, retention or versions, and one " +
			"producer's mistake stops the others' readers. So it is with a topic for everything.",
		Good:  "oms.order.events.v1 with events of order-service alone",
		Bad:   "one topic with events of order-service and billing-service, or of ten kinds of aggregate",
		check: checkShared,
	}
}

// mostAggregates is how many kinds of aggregate one area may have.
const mostAggregates = 6

func checkShared(r *report) {
	aggregates := map[string]map[string]bool{}
	for _, e := range r.current() {
		if t := r.topicOf(e); t.Owner != "" && e.OwnerService != t.Owner {
			r.event(e, "ownerService", "is owned by %s but stands on a topic of %s; move it to a topic of its owner",
				e.OwnerService, t.Owner)
		}
		if aggregates[e.Topic] == nil {
			aggregates[e.Topic] = map[string]bool{}
		}
		aggregates[e.Topic][e.AggregateType] = true
	}
	for _, t := range r.Topics() {
		if n := len(aggregates[t.Name]); n > mostAggregates {
			r.topic(t, "name", "carries events of %d kinds of aggregate, more than %d; give each area a topic", n, mostAggregates)
		}
	}
}
