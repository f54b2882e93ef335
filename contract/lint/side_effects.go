package lint

import "fmt"

func sideEffects() Rule {
	return Rule{
		Name:  "side-effects",
		Title: "An event that leads to calls outside carries a warning",
		Why: "Whoever replays reads the record first. Without the warning the replay sends every mail and every " +
			"order to the outside a second time.",
		Good:  "sideEffectWarning: notification-service must dedupe by eventId",
		Bad:   "no warning on an event read by a group with sideEffects: true of a service with trust EDGE",
		check: checkSideEffects,
	}
}

func checkSideEffects(r *report) {
	for _, e := range r.current() {
		if !e.ReplaySafe && e.SideEffectWarning == "" {
			r.event(e, "replaySafe", "is not safe to replay and has no sideEffectWarning; say what a replay would repeat")
		}
		for i, c := range e.Consumers {
			g, known := r.Group(c.Group)
			s, declared := r.Service(c.Service)
			if known && declared && g.SideEffects && s.Trust == "EDGE" && e.SideEffectWarning == "" {
				r.event(e, fmt.Sprintf("consumers[%d].group", i),
					"is acted on outside by %s and has no sideEffectWarning; say what a replay would repeat", c.Group)
			}
		}
	}
}
