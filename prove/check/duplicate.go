package check

import (
	"fmt"
	"slices"
)

// Repeated is a record that the prover sent again, byte by byte.
type Repeated struct {
	EventID, Topic string
	// Groups are those that read the topic.
	Groups []string
	// Passed are those whose effects reach behind the repetition.
	Passed []string
}

// DuplicatesIgnored asks that every group read the repetitions, counted each as a
// duplicate, and nothing changed. counted is by how much each group's counter
// rose on each topic.
func DuplicatesIgnored(repeated []Repeated, counted map[[2]string]float64, state Result) Result {
	r := Result{Name: "a repeated event id is ignored", Problems: slices.Clone(state.Problems)}
	want := make(map[[2]string]float64)
	for _, e := range repeated {
		for _, group := range e.Groups {
			if !slices.Contains(e.Passed, group) {
				r.problem("%s has not read the repetition of %s", group, e.EventID)
			}
			want[[2]string{group, e.Topic}]++
		}
	}
	for key, n := range want {
		if counted[key] < n {
			r.problem("%s counted %.0f duplicates of %s, %.0f were sent", key[0], counted[key], key[1], n)
		}
	}
	if len(want) == 0 {
		r.problem("nothing was repeated: nothing is proved")
	}
	r.Observed = fmt.Sprintf("%d records sent again, read by %d groups; %s, unchanged", len(repeated), len(want), state.Observed)
	return r
}
