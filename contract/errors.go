package contract

import (
	"fmt"
	"slices"
	"strings"
)

// ProblemError is one thing wrong in a contracts folder. [Load] joins all of
// them; reach each with errors.As on the members of the joined error, or with
// [Problems].
type ProblemError struct {
	// File is the path inside the folder.
	File string
	// Line is the line in File, 0 where no single line is to blame.
	Line int
	// Path is the place inside the file, such as "partitions.local", empty for
	// the file as a whole.
	Path string
	// Message says what is wrong and what to do.
	Message string
}

func (e *ProblemError) Error() string {
	var b strings.Builder
	b.WriteString("contract: load " + e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Path != "" {
		b.WriteString(": " + e.Path)
	}
	b.WriteString(": " + e.Message)
	return b.String()
}

// Problems returns every problem inside an error of [Load], in file order.
func Problems(err error) []*ProblemError {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case *ProblemError:
		return []*ProblemError{e}
	case interface{ Unwrap() []error }:
		var all []*ProblemError
		for _, member := range e.Unwrap() {
			all = append(all, Problems(member)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Problems(e.Unwrap())
	}
	return nil
}

// UnknownEventError says that the catalogue holds no contract for a type, or
// not for this version of it.
type UnknownEventError struct {
	EventType    string
	EventVersion int
	// Versions are the versions that the catalogue does hold of the type,
	// ascending. Empty when the type itself is unknown.
	Versions []int
	// Nearest is the known type with the most similar name, empty when none is
	// near or when the type is known.
	Nearest string
}

// KnownType reports whether only the version is unknown: the reader is likely
// older than the producer, and an upgrade cures it.
func (e *UnknownEventError) KnownType() bool { return len(e.Versions) > 0 }

func (e *UnknownEventError) Error() string {
	name := printable(e.EventType)
	if e.KnownType() {
		return fmt.Sprintf("contract: look up %s v%d: the catalogue holds only %s; upgrade the reader or register the version",
			name, e.EventVersion, versionList(e.Versions))
	}
	if e.Nearest != "" {
		return fmt.Sprintf("contract: look up %s v%d: no such event; did you mean %s",
			name, e.EventVersion, e.Nearest)
	}
	return fmt.Sprintf("contract: look up %s v%d: no such event; see \"factline contracts list\"", name, e.EventVersion)
}

// Violation is one place of an event that breaks its contract.
type Violation struct {
	// Path is the place, such as "payload.lines[2].offerId", "value" for the
	// bytes as a whole. A name that no schema declares is written as "*",
	// because a key of a map can hold personal data.
	Path string
	// Message says what is wrong with it, without its content.
	Message string
}

func (v Violation) String() string { return v.Path + " " + v.Message }

// ViolationError says where an event breaks its contract.
type ViolationError struct {
	EventType    string
	EventVersion int
	// Violations holds at least one and at most [MaxViolations], ordered by
	// path.
	Violations []Violation
	// More counts the violations beyond those listed.
	More int
}

// namedViolations is how many an error text names, so that a log line stays one.
const namedViolations = 3

func (e *ViolationError) Error() string {
	named := e.Violations[:min(len(e.Violations), namedViolations)]
	parts := make([]string, len(named))
	for i, v := range named {
		parts[i] = v.String()
	}
	text := strings.Join(parts, ", ")
	if more := len(e.Violations) - len(named) + e.More; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return fmt.Sprintf("contract: check %s v%d: %s; see \"factline contracts show %s\"",
		printable(e.EventType), e.EventVersion, text, printable(e.EventType))
}

func versionList(versions []int) string {
	parts := make([]string, len(versions))
	for i, v := range versions {
		parts[i] = fmt.Sprintf("v%d", v)
	}
	return strings.Join(parts, ", ")
}

// printable keeps a name that came from outside from breaking a log line.
func printable(name string) string {
	const most = 100
	if name == "" || len(name) > most || strings.ContainsFunc(name, unprintable) {
		return fmt.Sprintf("%.*q", most, name)
	}
	return name
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

func nearest(name string, known []string) string {
	best, limit := "", max(2, len(name)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements that turn a
// into b.
func distance(a, b string) int {
	const tooLong = 64
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func sortViolations(v []Violation) {
	slices.SortFunc(v, func(a, b Violation) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
}
