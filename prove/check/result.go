package check

import "fmt"

// Result is what one check saw.
type Result struct {
	// Name says what was checked.
	Name string `json:"name"`
	// Observed is what was seen, in numbers.
	Observed string `json:"observed"`
	// Problems are what is wrong. None means that the check holds.
	Problems []string `json:"problems,omitempty"`
}

// OK reports whether the check holds.
func (r Result) OK() bool { return len(r.Problems) == 0 }

// mostProblems bounds a report: the first ones lead to the cause.
const mostProblems = 20

func (r *Result) problem(format string, args ...any) {
	if len(r.Problems) < mostProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	} else if len(r.Problems) == mostProblems {
		r.Problems = append(r.Problems, "and more")
	}
}
