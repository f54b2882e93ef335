package deadletter

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that no dead letter has this id in this database.
	ErrNotFound = errors.New("deadletter: find it: no dead letter has this id in this database; list them, or look in the database of another service")
	// ErrSettled says that somebody settled the dead letter before.
	ErrSettled = errors.New("deadletter: skip it: it is settled already; nothing is left to do")
)

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
