package lint

import "factline.dev/contract"

func ownerDeclared() Rule {
	return Rule{
		Name:  "owner-declared",
		Title: "Every topic and event has owners whom services.yaml knows",
		Why: "Without an owner nobody answers for a wrong event, its dead letters go to no one, and no identity " +
			"can be given the right to write it.",
		Good:  "ownerService: order-service, businessOwner: Order Management, technicalOwner: OMS Platform Team",
		Bad:   "ownerService: orders-svc, declared nowhere",
		check: checkOwners,
	}
}

func checkOwners(r *report) {
	for _, t := range r.Topics() {
		checkTopicOwners(r, t)
	}
	for _, e := range r.current() {
		if _, ok := r.Service(e.OwnerService); !ok {
			r.event(e, "ownerService", "names %s, which services.yaml does not declare", e.OwnerService)
		}
		if e.BusinessOwner == "" || e.TechnicalOwner == "" {
			r.event(e, "businessOwner", "needs a businessOwner and a technicalOwner")
		}
	}
}

func checkTopicOwners(r *report, t *contract.Topic) {
	if _, ok := r.Service(t.Owner); !ok {
		r.topic(t, "owner", "has the owner %q, which services.yaml does not declare", t.Owner)
	}
	if _, ok := r.Service(t.DeadLetter.Owner); !ok && t.DeadLetter.Owner != t.Owner {
		r.topic(t, "deadLetter.owner", "gives its dead letters to %s, which services.yaml does not declare", t.DeadLetter.Owner)
	}
	if t.BusinessOwner == "" || t.TechnicalOwner == "" {
		r.topic(t, "businessOwner", "needs a businessOwner and a technicalOwner")
	}
}
