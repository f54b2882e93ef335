package lint

import (
	"slices"

	"factline.dev/contract"
)

func topicVisibility() Rule {
	return Rule{
		Name:  "topic-visibility",
		Title: "A topic says its category and visibility, and private means private",
		Why: "Compatibility is judged by visibility: a public topic is an API. Whoever reads another service's " +
			"private topic is broken by changes that its owner is free to make.",
		Good:  "category: domain, visibility: public",
		Bad:   "visibility: private with a consumer of another service",
		check: checkVisibility,
	}
}

func checkVisibility(r *report) {
	for _, t := range r.Topics() {
		if t.Category == "" {
			r.topic(t, "category", "is missing; say whether it is domain, integration, private, audit-export, operational or current-state")
		}
		if t.Visibility == "" {
			r.topic(t, "visibility", "is missing; say who may depend on it: public, private, integration or operational")
		}
		if t.Description == "" {
			r.topic(t, "description", "is missing; say in a sentence what stands on the topic")
		}
	}
	for _, e := range r.current() {
		for _, c := range e.Consumers {
			if t := r.topicOf(e); t.Visibility == "private" && c.Service != t.Owner && !copies(r, c) {
				r.event(e, "consumers", "is read by %s but stands on a private topic of %s; make the topic public or drop the reader",
					c.Service, t.Owner)
			}
		}
	}
}

// copies reports whether a consumer only copies records whole, as an audit
// does: it depends on no field, so that no change of the contract breaks it.
func copies(r *report, c contract.Consumer) bool {
	s, ok := r.Service(c.Service)
	return ok && s.Trust == "PLATFORM" && slices.Equal(c.Reads, []string{"*"})
}
