package contracttest

import (
	"fmt"
	"maps"
	"slices"
)

// waiting compares the event types that a contract names with those that a service
// has been seen to deal with. later are types that wait for a feature: one that is
// dealt with all the same must leave the list, or the list would go stale.
type waiting struct {
	named map[string]bool
	done  []string
	later map[string]string
	// what is what the service does with one, such as "produced".
	what string
}

func (w waiting) problems() (broken []string) {
	for _, eventType := range slices.Sorted(maps.Keys(w.named)) {
		feature, waits := w.later[eventType]
		switch done := slices.Contains(w.done, eventType); {
		case done && waits:
			broken = append(broken, fmt.Sprintf("%s: is %s although it waits for %s; take it from Later", eventType, w.what, feature))
		case !done && !waits:
			broken = append(broken, fmt.Sprintf("%s: is not %s; bring that about, or say in Later what it waits for", eventType, w.what))
		}
	}
	for _, eventType := range slices.Sorted(maps.Keys(w.later)) {
		if !w.named[eventType] {
			broken = append(broken, fmt.Sprintf("%s: waits for %s and need not be %s; take it from Later", eventType, w.later[eventType], w.what))
		}
	}
	return broken
}
