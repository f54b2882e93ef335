package lint

import "slices"

var sensitivity = []string{"", "low", "medium", "high"}

func classification() Rule {
	return Rule{
		Name:  "classification",
		Title: "Every event and topic is classified, a topic as high as its events",
		Why: "Who may read a topic is decided by its class. A topic classed below one of its events lets readers " +
			"in who must not see that event; one without a class lets in everyone.",
		Good:  "topic classification: high with an event dataClassification: high",
		Bad:   "topic classification: low with an event dataClassification: high",
		check: checkClassification,
	}
}

func checkClassification(r *report) {
	for _, t := range r.Topics() {
		if t.Classification == "" {
			r.topic(t, "classification", "is missing; say low, medium or high")
		}
	}
	for _, e := range r.current() {
		t := r.topicOf(e)
		switch {
		case e.DataClassification == "":
			r.event(e, "dataClassification", "is missing; say low, medium or high")
		case slices.Index(sensitivity, e.DataClassification) > slices.Index(sensitivity, t.Classification):
			r.event(e, "dataClassification", "is %s on a topic classed %q; a topic has the class of its most sensitive event",
				e.DataClassification, t.Classification)
		}
	}
}
