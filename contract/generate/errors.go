package generate

import (
	"fmt"
	"strings"
)

// UnknownServiceError says that the catalogue has no such service.
type UnknownServiceError struct {
	Service string
	// Known are the services that it has.
	Known []string
}

func (e *UnknownServiceError) Error() string {
	return fmt.Sprintf("generate: write the types of %q: the catalogue has no such service; it has %s", e.Service, strings.Join(e.Known, ", "))
}

// InexpressibleError is a place of a schema that no Go type can say.
type InexpressibleError struct {
	EventType    string
	EventVersion int
	// Path is the place in the event, such as payload.lines[].site.
	Path string
	// Problem is what cannot be said.
	Problem string
}

func (e *InexpressibleError) Error() string {
	return fmt.Sprintf("generate: write the type of %s v%d: %s %s; say it with fewer keywords, or let the service keep the JSON and call contract.Catalogue.Validate",
		e.EventType, e.EventVersion, e.Path, e.Problem)
}
