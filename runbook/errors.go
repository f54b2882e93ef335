package runbook

import "fmt"

// UnknownIDError says that an id stands in no database that was searched.
type UnknownIDError struct {
	ID string
	// Services are the services whose databases were searched.
	Services []string
}

func (e *UnknownIDError) Error() string {
	return fmt.Sprintf("runbook: trace %s: no quote, order or event has this id in the databases of %v; check the id, and that it is not older than the outbox's retention", e.ID, e.Services)
}
