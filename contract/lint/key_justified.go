package lint

import (
	"slices"

	"factline.dev/contract"
)

// shortestReason is the length below which no reason is one.
const shortestReason = 30

func keyJustified() Rule {
	return Rule{
		Name:  "key-justified",
		Title: "The record key is justified",
		Why: "The key fixes what is read in order, what can be read in parallel and what becomes hot, and it can " +
			"never be changed on a live topic. Whoever chose it must have said why.",
		Good:  "keyReason: all transitions of one order are read in order; a large order can be hot",
		Bad:   "keyReason: it is the id",
		check: checkKey,
	}
}

func checkKey(r *report) {
	for _, e := range r.current() {
		t := r.topicOf(e)
		switch {
		case len(e.KeyReason) < shortestReason:
			r.event(e, "keyReason", "does not say why the key is %s; state what stays in order and what can become hot", e.KeyName())
		case t.Key != "" && !slices.Contains(e.Key, t.Key) && e.AggregateType == mainAggregate(r, t):
			r.event(e, "key", "is keyed by %s while the topic's events are keyed by %s; one aggregate has one key", e.KeyName(), t.Key)
		}
	}
}

// mainAggregate is the aggregate that most events with the topic's key belong
// to. Others on the topic may have keys of their own.
func mainAggregate(r *report, t *contract.Topic) string {
	count, most := map[string]int{}, ""
	for _, e := range r.current() {
		if e.Topic != t.Name || !slices.Contains(e.Key, t.Key) {
			continue
		}
		count[e.AggregateType]++
		if most == "" || count[e.AggregateType] > count[most] {
			most = e.AggregateType
		}
	}
	return most
}
