package runbook

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// State says whether a link of the chain holds.
type State string

// The states of a link.
const (
	// OK is done.
	OK State = "ok"
	// Waiting is under way, or waits for a person's next step by design.
	Waiting State = "waiting"
	// Broken needs somebody: it will not mend by itself.
	Broken State = "broken"
	// Unknown could not be looked at.
	Unknown State = "unknown"
)

// Link is one step on the way of an event.
type Link struct {
	// Name says which: "quote", "outbox of quote-service", "log", a group.
	Name  string `json:"link"`
	State State  `json:"state"`
	// At is when it happened, zero where nothing did.
	At time.Time `json:"at,omitzero"`
	// Detail is what was observed.
	Detail string `json:"detail"`
	// Recovery is what to do, empty where the link holds.
	Recovery string `json:"recovery,omitempty"`
	// Command is what to type for it after "factline", empty where no command
	// does it.
	Command string `json:"command,omitempty"`
}

// Report is the chain of one quote, order or event.
type Report struct {
	// ID is what was asked for, Root the aggregate the chain begins with.
	ID    string `json:"id"`
	Root  string `json:"root"`
	Links []Link `json:"links"`
}

// First returns the first link that does not hold, nil when all do. What comes
// after it follows from it.
func (r Report) First() *Link {
	for i := range r.Links {
		if r.Links[i].State != OK {
			return &r.Links[i]
		}
	}
	return nil
}

// Broken reports whether somebody has to act.
func (r Report) Broken() bool {
	first := r.First()
	return first != nil && first.State == Broken
}

// Service is one service and its database.
type Service struct {
	Name string
	Pool *pgxpool.Pool
}

// Stage is one business row on the way, and the events it hands on.
type Stage struct {
	// Name of the row, such as "quote".
	Name string
	// Service owns the row.
	Service string
	// SQL reads the row for @id, the id of the row itself or of the chain's
	// root. It returns root, id, state, note (text), version (bigint, 0 for a row
	// without events) and at (timestamptz), in at most one row.
	SQL string
	// Table is a statement that returns the table to put in place of {table} in
	// SQL, quoted. Empty where SQL names it.
	Table string
	// Aggregate is the aggregate type of the row's events. Empty where the row
	// has none.
	Aggregate string
	// HandOver are the events of which one has to exist before the next stage
	// begins. Empty where all of them matter.
	HandOver []string
	// Until says what is awaited while there is no HandOver event.
	Until string
	// Group is the consumer group that writes this row from the events of the
	// stage before.
	Group string
	// Ends are states of the row after which no further stage follows.
	Ends []string
	// Follows is set for a read model, whose version must be that of the row
	// before.
	Follows bool
}

// Config is what [Trace] needs. Services is required.
type Config struct {
	Services []Service
	// Stages are the business rows in order.
	Stages []Stage
	// Log reads records and groups. Nil leaves those links Unknown.
	Log *Log
	// Patience is how long an event may be under way before that counts as
	// broken. Default 15s.
	Patience time.Duration
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Patience == 0 {
		c.Patience = 15 * time.Second
	}
	return c
}
