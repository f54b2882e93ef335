package compat

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Verdict is what a comparison comes to. Its zero value is no verdict.
type Verdict string

// The verdicts, from good to bad: Compatible, Unknown, Breaking.
const (
	Compatible Verdict = "compatible"
	Unknown    Verdict = "unknown"
	Breaking   Verdict = "breaking"
)

func rank(v Verdict) int { return slices.Index([]Verdict{Compatible, Unknown, Breaking}, v) }

func worse(a, b Verdict) Verdict {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// Direction is who has to get along with whom.
type Direction string

// The directions by the names that registries use.
const (
	Backward Direction = "backward" // new readers, old events
	Forward  Direction = "forward"  // old readers, new events
	Full     Direction = "full"     // both
)

// String says the direction in plain words.
func (d Direction) String() string {
	switch d {
	case Backward, "":
		return "new readers, old events"
	case Forward:
		return "old readers, new events"
	case Full:
		return "new readers, old events and old readers, new events"
	}
	return string(d)
}

// Options is how to compare. The zero value is strict: what the validator of
// package factline.dev/contract says, nothing more and nothing less.
type Options struct {
	// Direction is what to check. Default Backward.
	Direction Direction
	// IgnoreFormats takes format for an annotation, as readers do that do not
	// check it. By default a format is asserted.
	IgnoreFormats bool
	// Evolvable trusts writers and readers to leave undeclared properties of an
	// object that declares some alone: a writer sends only what its schema
	// declares, a reader ignores what its own does not. Properties that
	// additionalProperties describes are declared. Then an optional property
	// may be added to an open object and removed from a closed one.
	Evolvable bool
	// AppliesDefaults says that readers fill in the default of a missing property
	// before they check, so that a required property with a default is as good
	// as optional.
	AppliesDefaults bool
	// Timeout bounds one direction. What is not decided by then is Unknown.
	// Default 5s.
	Timeout time.Duration
	// MaxSteps bounds the work of one direction whatever the machine. Default
	// 2,000,000.
	MaxSteps int
}

// WithDefaults returns the options that really apply.
func (o Options) WithDefaults() Options {
	if o.Direction == "" {
		o.Direction = Backward
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = 2_000_000
	}
	return o
}

// Result is the outcome of a comparison.
type Result struct {
	Verdict   Verdict   `json:"verdict"`
	Direction Direction `json:"direction"`
	// Findings say what breaks or could not be decided, breaking ones first. None
	// when compatible.
	Findings []Finding `json:"findings"`
	// Witness is the smallest of the findings' witnesses; nil unless breaking.
	Witness json.RawMessage `json:"witness,omitempty"`
	// Reason says in a sentence what could not be decided; empty unless unknown.
	Reason string `json:"reason,omitempty"`
	// Steps is the work done, for comparison with Options.MaxSteps.
	Steps int `json:"steps"`
}

// Finding is one requirement of the reading schema that is not surely kept.
type Finding struct {
	// Rule is the JSON Schema keyword of the requirement, or "schema" when it is
	// about a schema as a whole.
	Rule string `json:"rule"`
	// Name is the member that the rule "required" asks for.
	Name      string    `json:"name,omitempty"`
	Verdict   Verdict   `json:"verdict"`
	Direction Direction `json:"direction"` // Backward or Forward
	// Path is where in a document, as a JSON pointer in which "*" stands for any
	// other member or element; empty for the document itself.
	Path string `json:"path"`
	// OldPath and NewPath are JSON pointers into the schemas, to the keyword.
	// One is empty when its schema does not have the keyword there.
	OldPath string `json:"oldPath,omitempty"`
	NewPath string `json:"newPath,omitempty"`
	// Old and New are the keyword's values in the two schemas, nil for none. For
	// one of more than 2,048 bytes there is the string "sha256:" and its digest.
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
	// Message says what changed and for whom.
	Message string `json:"message"`
	// Witness is a document that the writing schema accepts and the reading
	// schema refuses; nil unless breaking. It is found and checked by the
	// schemas' own rules and holds no data of anybody.
	Witness json.RawMessage `json:"witness,omitempty"`
}

// CompareAll compares next with each of the retained versions: the transitive
// form of every direction. The results stand in the order of the versions.
func CompareAll(ctx context.Context, versions []*Schema, next *Schema, o Options) []Result {
	results := make([]Result, len(versions))
	for i, version := range versions {
		results[i] = Compare(ctx, version, next, o)
	}
	return results
}
