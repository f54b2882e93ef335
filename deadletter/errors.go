package deadletter

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrNotFound says that no dead letter has this id in this database.
	ErrNotFound = errors.New("deadletter: find it: no dead letter has this id in this database; list them, or look in the database of another service")
	// ErrSettled says that somebody settled the dead letter before.
	ErrSettled = errors.New("deadletter: settle it: it is settled already; nothing is left to do")
	// ErrRedriven says that the group of the dead letter tries it again, so that it
	// may have its effect any moment.
	ErrRedriven = errors.New("deadletter: settle it: its group tries it again now; see what becomes of it, and settle it once it is open again")
	// ErrNothing says that no open letter matches a selection.
	ErrNothing = errors.New("deadletter: plan a redrive: no open dead letter matches; list them to see what there is")
	// ErrNoRedrive says that no redrive has this id.
	ErrNoRedrive = errors.New("deadletter: find the redrive: none has this id; plan one first")
)

// errLeaseLost ends a run whose redrive another one took over.
var errLeaseLost = errors.New("another run has taken it over; look at its receipt")

// NotNextError says that a dead letter cannot be skipped yet, because earlier
// versions of its aggregate have not been applied.
type NotNextError struct {
	ID                         string
	AggregateType, AggregateID string
	// Version is the version of the dead letter, Applied the last one applied.
	Version, Applied int64
}

func (e *NotNextError) Error() string {
	return fmt.Sprintf("deadletter: skip %s: it is version %d of %s %s, of which only %d is applied; find the versions between first",
		e.ID, e.Version, e.AggregateType, e.AggregateID, e.Applied)
}

// RunningError says that another run of the same redrive is under way.
type RunningError struct {
	ID string
	// Until is when that run must have given the next sign of life.
	Until time.Time
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("deadletter: redrive %s: it runs already; wait for it, or resume it after %s if its process died",
		e.ID, e.Until.UTC().Format("15:04:05"))
}

// PlanChangedError says that a letter of a plan is no longer what was previewed:
// it failed again, or somebody settled it.
type PlanChangedError struct {
	ID string
	// Letter is one that changed, empty where it only failed again.
	Letter string
}

func (e *PlanChangedError) Error() string {
	what := "one of its letters has failed again"
	if e.Letter != "" {
		what = e.Letter + " is no longer open"
	}
	return fmt.Sprintf("deadletter: redrive %s: %s since the plan was made; plan again", e.ID, what)
}

// SideEffectsError says that the contracts of a plan's events warn of what they do
// in their groups, and that nobody said that they read it.
type SideEffectsError struct {
	ID string
	// Rights are those of the plan, with the warnings.
	Rights []Right
}

func (e *SideEffectsError) Error() string {
	var warnings []string
	for _, r := range e.Rights {
		if r.Warning != "" {
			warnings = append(warnings, fmt.Sprintf("%s in %s: %s", r.EventType, r.ConsumerGroup, r.Warning))
		}
	}
	return fmt.Sprintf("deadletter: redrive %s: its events act beyond their groups' databases (%s); acknowledge that to send them", e.ID, strings.Join(warnings, "; "))
}
