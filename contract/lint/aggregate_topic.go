package lint

import "regexp"

var versionPart = regexp.MustCompile(`\.v[0-9]+$`)

func aggregateTopic() Rule {
	return Rule{
		Name:  "aggregate-topic",
		Title: "An aggregate counts its versions in one topic",
		Why: "Order between topics does not exist. An aggregate whose events are spread over two cannot be read in " +
			"version order by anyone: each reader sees gaps that never close.",
		Good:  "all events of Order on oms.order.events.v1",
		Bad:   "OrderCaptured on oms.order.events.v1 and OrderBilled of the same aggregate on oms.billing.events.v1",
		check: checkAggregateTopic,
	}
}

func checkAggregateTopic(r *report) {
	home := map[string]string{}
	for _, e := range r.current() {
		if r.topicOf(e).Category == "current-state" {
			continue // a snapshot repeats a version and counts none
		}
		// a later version of a topic stands beside the first for a declared time
		base := versionPart.ReplaceAllString(e.Topic, "")
		switch first := home[e.AggregateType]; first {
		case "":
			home[e.AggregateType] = base
		case base:
		default:
			r.event(e, "aggregateType", "belongs to %s, whose versions are counted on %s; move it there or give it an aggregate of its own",
				e.AggregateType, first)
		}
	}
}
