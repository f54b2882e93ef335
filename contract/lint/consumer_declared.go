package lint

import (
	"fmt"

	"factline.dev/contract"
)

func consumerDeclared() Rule {
	return Rule{
		Name:  "consumer-declared",
		Title: "Consumers are services and groups that services.yaml knows",
		Why: "A consumer that is declared in one place only gets no right to read, no alert for its lag, and is " +
			"forgotten when a change is judged.",
		Good:  "group: order-service.quote-events.consumer, declared with the topic in services.yaml",
		Bad:   "group: order-service.new-thing.consumer, declared nowhere",
		check: checkConsumers,
	}
}

func checkConsumers(r *report) {
	for _, e := range r.current() {
		seen := map[string]bool{}
		for i, c := range e.Consumers {
			at := fmt.Sprintf("consumers[%d].group", i)
			if seen[c.Group] {
				r.event(e, at, "names the group %s twice", c.Group)
			}
			seen[c.Group] = true
			checkConsumer(r, e, c, at)
		}
	}
	for _, s := range r.Services() {
		checkSubscriptions(r, s)
	}
}

func checkConsumer(r *report, e *contract.Event, c contract.Consumer, at string) {
	if _, ok := r.Service(c.Service); !ok {
		r.event(e, at, "is read by %s, which services.yaml does not declare", c.Service)
		return
	}
	g, ok := r.Group(c.Group)
	switch {
	case !ok:
		r.event(e, at, "is read by the group %s, which services.yaml does not declare", c.Group)
	case g.Service != c.Service:
		r.event(e, at, "is read by the group %s of %s, which belongs to %s", c.Group, c.Service, g.Service)
	default:
		if _, ok := g.Mode(e.Topic); !ok {
			r.event(e, at, "is read by the group %s, which does not list %s in services.yaml", c.Group, e.Topic)
		}
	}
}

func checkSubscriptions(r *report, s *contract.Service) {
	for i, g := range s.Groups {
		for j, t := range g.Topics {
			at := fmt.Sprintf("groups[%d].topics[%d]", i, j)
			_, own := r.Topic(t.Name)
			_, derived := r.Derived(t.Name)
			if !own && !derived {
				r.service(s, at, "has the group %s on %s, which is no topic of the catalogue", g.Name, t.Name)
			}
		}
	}
}
