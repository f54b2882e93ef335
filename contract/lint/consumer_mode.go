package lint

import "fmt"

func consumerMode() Rule {
	return Rule{
		Name:  "consumer-mode",
		Title: "A group's mode fits the topic",
		Why: "Compaction removes versions, so an ordered group on a current-state topic waits for ever for one that " +
			"is gone; and a latest group on a lifecycle topic skips transitions.",
		Good:  "mode: latest on a current-state topic, ordered or unordered elsewhere",
		Bad:   "mode: ordered on customer.entitlement-current-state.v1",
		check: checkMode,
	}
}

func checkMode(r *report) {
	for _, s := range r.Services() {
		for i, g := range s.Groups {
			for j, sub := range g.Topics {
				t, ok := r.Topic(sub.Name)
				if !ok {
					continue
				}
				at := fmt.Sprintf("groups[%d].topics[%d]", i, j)
				switch state := t.Category == "current-state"; {
				case state && sub.Mode == "ordered":
					r.service(s, at, "has the group %s read the current-state topic %s in mode ordered; use latest", g.Name, t.Name)
				case !state && sub.Mode == "latest":
					r.service(s, at, "has the group %s read %s in mode latest, which skips transitions; use ordered or unordered", g.Name, t.Name)
				}
			}
		}
	}
}
