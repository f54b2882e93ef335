package lint

import (
	"fmt"
	"slices"
)

func lowTrust() Rule {
	return Rule{
		Name:  "low-trust",
		Title: "Services of low trust read no topic of class high, and no retry or dead-letter topic",
		Why:   "A topic is read whole: there is no way to let someone see some of its fields. Give them a topic of their own.",
		Good:  "partner-gateway reads oms.partner.order-status.v1, five fields without prices",
		Bad:   "partner-gateway reads oms.order.events.v1",
		check: checkLowTrust,
	}
}

func checkLowTrust(r *report) {
	for _, s := range r.Services() {
		if s.Trust != "LOW" {
			continue
		}
		for i, g := range s.Groups {
			for j, sub := range g.Topics {
				at := fmt.Sprintf("groups[%d].topics[%d]", i, j)
				if t, ok := r.Topic(sub.Name); ok && t.Classification == "high" {
					r.service(s, at, "has trust LOW and may not read %s of class high; publish what it needs on a topic of its own", t.Name)
				}
				if d, ok := r.Derived(sub.Name); ok {
					r.service(s, at, "has trust LOW and may not read %s: records of every reader of %s stand there", d.Name, d.Source)
				}
			}
		}
		if slices.Contains(s.Tenants, "all") {
			r.service(s, "tenants", "has trust LOW and may not handle every tenant; name them")
		}
	}
}
