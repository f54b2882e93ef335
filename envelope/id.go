package envelope

import "github.com/oklog/ulid/v2"

// NewID returns a new globally unique, time-ordered identifier: a ULID, 26
// characters. Make it once per event and keep it over every retry.
func NewID() string { return ulid.Make().String() }
