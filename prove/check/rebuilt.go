package check

import (
	"fmt"
	"strings"

	"factline.dev/prove/history"
)

// Rebuilt is a read model and its rebuilt copy, as the prover hashed both.
type Rebuilt struct {
	Projection string
	// Before and After are the live table before and after the replay.
	Before, After, Copy history.Table
	// SaysEqual is what the replay itself reported.
	SaysEqual bool
	// Applied is how many events the replay applied.
	Applied int64
}

// RebuildsEqual asks that a replay from the first record gives a table that equals the
// live one in every column, leaves the live one alone, and did read events.
func RebuildsEqual(all []Rebuilt) Result {
	r := Result{Name: "a replay from the first record gives the same state"}
	for _, p := range all {
		switch {
		case p.Before.Rows == 0:
			r.problem("%s is empty: nothing is proved", p.Projection)
		case p.Applied == 0:
			r.problem("the replay of %s applied no event: nothing is proved", p.Projection)
		}
		if p.Before.Hash != p.After.Hash {
			r.problem("the replay changed the live table of %s: hash %.12s, now %.12s", p.Projection, p.Before.Hash, p.After.Hash)
		}
		if p.Copy.Hash != p.After.Hash || p.Copy.Rows != p.After.Rows {
			r.problem("%s has %d rows, hash %.12s; rebuilt it has %d rows, hash %.12s",
				p.Projection, p.After.Rows, p.After.Hash, p.Copy.Rows, p.Copy.Hash)
		}
		if !p.SaysEqual {
			r.problem("the replay of %s reports a difference", p.Projection)
		}
		r.Observed += fmt.Sprintf("%s: %d rows, %d events applied, hash %.12s on both sides; ", p.Projection, p.Copy.Rows, p.Applied, p.Copy.Hash)
	}
	if len(all) == 0 {
		r.problem("nothing was rebuilt: nothing is proved")
	}
	r.Observed = strings.TrimSuffix(r.Observed, "; ")
	return r
}
