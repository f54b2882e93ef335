package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Verdict is the judgement over a step or a whole proof.
type Verdict string

const (
	// Pass means that what was promised was observed.
	Pass Verdict = "PASS"
	// Fail means that something else was observed.
	Fail Verdict = "FAIL"
	// Inconclusive means that a fault did not provably fire, so nothing was tested.
	Inconclusive Verdict = "INCONCLUSIVE"
)

// Step is one step of a proof.
type Step struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Observed is what was seen, a line each.
	Observed []string `json:"observed"`
	// Problems are what contradicts the promise, or keeps it from being tested.
	Problems []string `json:"problems,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// Fact is something to know about a proof: a version, an address, a seed.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Report is a whole proof.
type Report struct {
	Scenario string  `json:"scenario"`
	Verdict  Verdict `json:"verdict"`
	Seed     uint64  `json:"seed"`
	Facts    []Fact  `json:"facts"`
	// CannotShow is what this stack has no means to prove.
	CannotShow []string `json:"cannotShow"`
	Steps      []Step   `json:"steps"`
	Seconds    float64  `json:"seconds"`
}

// Judge sets the verdict: a failed step fails the proof, an inconclusive one
// leaves it open, and a proof without steps proves nothing.
func (r *Report) Judge() {
	r.Verdict = Inconclusive
	for i, s := range r.Steps {
		switch {
		case s.Verdict == Fail:
			r.Verdict = Fail
			return
		case i == 0:
			r.Verdict = s.Verdict
		case s.Verdict == Inconclusive:
			r.Verdict = Inconclusive
		}
	}
}

// WriteHead writes what a proof begins with.
func (r *Report) WriteHead(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "proof %s, seed %d\n", r.Scenario, r.Seed)
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "  %-12s %s\n", f.Name, f.Value)
	}
	for _, c := range r.CannotShow {
		fmt.Fprintf(&b, "  %-12s %s\n", "cannot show", c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes a step with what was observed.
func (s Step) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %s (%.1fs)\n", s.Verdict, s.Name, s.Seconds)
	for _, line := range s.Observed {
		fmt.Fprintf(&b, "             %s\n", line)
	}
	for _, line := range s.Problems {
		fmt.Fprintf(&b, "  !          %s\n", line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteTail writes the verdict.
func (r *Report) WriteTail(w io.Writer) error {
	passed := 0
	for _, s := range r.Steps {
		if s.Verdict == Pass {
			passed++
		}
	}
	_, err := fmt.Fprintf(w, "%s: %d of %d steps passed in %s; repeat with --seed %d\n", r.Verdict, passed, len(r.Steps),
		time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond), r.Seed)
	return err
}
