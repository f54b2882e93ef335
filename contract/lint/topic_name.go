package lint

import (
	"regexp"
	"slices"
	"strings"

	"factline.dev/contract"
)

var (
	topicForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*(\.[a-z][a-z0-9]*(-[a-z0-9]+)*){1,3}\.v[1-9][0-9]*$`)
	// nobodys are parts of a name that belong to no one.
	nobodys  = []string{"all", "backend", "common", "everything", "general", "generic", "misc", "shared", "stuff", "temp", "test", "updates"}
	reserved = []string{"retry", "dlt"}
)

func topicName() Rule {
	return Rule{
		Name:  "topic-name",
		Title: "A topic's name is <domain>.<area>.<kind>.v<N>",
		Why: "Owner, meaning and version are read off the name by everyone who cannot see the catalogue: brokers, " +
			"alerts, people at night. A vague name hides who answers for the topic and invites everything onto it.",
		Good:  "oms.order.events.v1",
		Bad:   "orders, platform.events.v1, or backend.shared.events.v1",
		check: checkTopicName,
	}
}

func checkTopicName(r *report) {
	for _, t := range r.Topics() {
		if !topicForm.MatchString(t.Name) {
			r.topic(t, "name", "must be <domain>.<area>.<kind>.v<N> in lower case, as in oms.order.events.v1")
			continue
		}
		checkParts(r, t, strings.Split(t.Name, "."))
	}
}

func checkParts(r *report, t *contract.Topic, parts []string) {
	kind := parts[len(parts)-2]
	for _, part := range parts {
		switch {
		case slices.Contains(nobodys, part):
			r.topic(t, "name", "says %q, which belongs to no one; name the domain and the area", part)
		case slices.Contains(reserved, part):
			r.topic(t, "name", "says %q, which is kept for topics derived from others", part)
		}
	}
	const leastForEvents = 4 // domain, area, events, version
	switch {
	case kind == "events" && len(parts) < leastForEvents:
		r.topic(t, "name", "names no area, so everything of %s fits on it; name the area, as in oms.order.events.v1", parts[0])
	case t.Category == "current-state" && !strings.HasSuffix(kind, "current-state"):
		r.topic(t, "name", "must end in current-state, because its category is current-state")
	case t.Category != "current-state" && strings.HasSuffix(kind, "current-state"):
		r.topic(t, "category", "must be current-state, as the name says")
	case t.Category == "domain" && kind != "events":
		r.topic(t, "name", "must end in events, because its category is domain")
	}
}
