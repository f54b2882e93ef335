package inbox

// Mode says what decides whether an event is applied.
type Mode int

const (
	// Ordered applies the events of an aggregate in version order without gap.
	Ordered Mode = iota
	// Unordered applies each event id once.
	Unordered
	// Latest applies what is not older than what was applied.
	Latest
)

func (m Mode) String() string {
	switch m {
	case Ordered:
		return "ordered"
	case Unordered:
		return "unordered"
	case Latest:
		return "latest"
	}
	return "unknown"
}
