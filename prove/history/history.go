package history

import (
	"time"
)

// Outcome is what a client knows about an operation.
type Outcome string

const (
	// OK means that the platform answered that it is done.
	OK Outcome = "ok"
	// Failed means that the platform answered that it will not be done.
	Failed Outcome = "failed"
	// Unknown means that no answer came; it may be done or not.
	Unknown Outcome = "unknown"
)

// Quote is one quote that a workload took to its acceptance.
type Quote struct {
	Tenant  string  `json:"tenant"`
	QuoteID string  `json:"quoteId"`
	Outcome Outcome `json:"outcome"`
	// Requests is how many were sent, repeated ones included.
	Requests int `json:"requests"`
	// Reason is the last answer that was none of success.
	Reason string `json:"reason,omitempty"`
}

// Event is a row of an outbox: a fact that was committed.
type Event struct {
	Service       string `json:"service"`
	EventID       string `json:"eventId"`
	EventType     string `json:"eventType"`
	Tenant        string `json:"tenant"`
	AggregateType string `json:"aggregateType"`
	AggregateID   string `json:"aggregateId"`
	// Version is 0 for a forwarded record, which is no event.
	Version int64  `json:"version"`
	Topic   string `json:"topic"`
	// At is when the row was made, by the database's clock, a little before its
	// commit.
	At time.Time `json:"at"`
	// Key and Value are those of the record it is to become. The relay adds to a
	// stamped one when it was published.
	Key     []byte `json:"-"`
	Value   []byte `json:"-"`
	Stamped bool   `json:"-"`
}

// Record is what stands at one place of the log.
type Record struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// The rest is empty where the value is no event.
	EventID       string `json:"eventId"`
	EventType     string `json:"eventType"`
	Tenant        string `json:"tenant"`
	AggregateType string `json:"aggregateType"`
	AggregateID   string `json:"aggregateId"`
	Version       int64  `json:"version"`
	CausationID   string `json:"causationId"`
	// At is when the record was sent, by its producer's clock, to the millisecond.
	At time.Time `json:"at"`
	// Injected is set for a record that the prover put there itself.
	Injected bool `json:"injected,omitempty"`
	// Value is kept for records that are no events: dead letters.
	Value []byte `json:"value,omitempty"`

	Raw RawRecord `json:"-"`
}

// RawRecord is a record byte by byte, to send it again.
type RawRecord struct {
	Key, Value []byte
	Headers    []Header
}

// Header is one record header.
type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// AcceptedQuote is a quote that the database holds as accepted.
type AcceptedQuote struct {
	Tenant  string `json:"tenant"`
	QuoteID string `json:"quoteId"`
	State   string `json:"state"`
	OrderID string `json:"orderId"`
}

// Order is an order as its service holds it.
type Order struct {
	Tenant  string `json:"tenant"`
	OrderID string `json:"orderId"`
	QuoteID string `json:"quoteId"`
	State   string `json:"state"`
	Version int64  `json:"version"`
	// Lines and Transitions count the rows that belong to it.
	Lines       int64 `json:"lines"`
	Transitions int64 `json:"transitions"`
}

// Summary is an order as the read model shows it.
type Summary struct {
	Tenant  string `json:"tenant"`
	OrderID string `json:"orderId"`
	State   string `json:"state"`
	Version int64  `json:"version"`
	// Lines counts the rows of its lines.
	Lines int64 `json:"lines"`
}

// Table is the content of a table in short.
type Table struct {
	Database string `json:"database"`
	Name     string `json:"name"`
	Rows     int64  `json:"rows"`
	// Hash is a SHA-256 over every column of every row.
	Hash string `json:"hash"`
}

// Settled is a row of an inbox.
type Settled struct {
	Service   string `json:"service"`
	Group     string `json:"group"`
	EventID   string `json:"eventId"`
	State     string `json:"state"`
	Attempts  int    `json:"attempts"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// At is when it was settled.
	At time.Time `json:"at"`
}

// Waiting is what a service holds back.
type Waiting struct {
	Service     string `json:"service"`
	Held        int64  `json:"held"`
	Blocked     int64  `json:"blocked"`
	DeadLetters int64  `json:"openDeadLetters"`
	Parked      int64  `json:"parked"`
	// Unpublished events wait for the relay.
	Unpublished int64 `json:"unpublished"`
}

// History is everything that the final checks look at.
type History struct {
	Seed      uint64          `json:"seed"`
	Versions  [][2]string     `json:"versions"`
	TakenAt   time.Time       `json:"takenAt"`
	Quotes    []Quote         `json:"quotes"`
	Accepted  []AcceptedQuote `json:"accepted"`
	Orders    []Order         `json:"orders"`
	Summaries []Summary       `json:"summaries"`
	Committed []Event         `json:"committed"`
	Log       []Record        `json:"log"`
	Inboxes   []Settled       `json:"inboxes"`
	Tables    []Table         `json:"tables"`
	Waiting   []Waiting       `json:"waiting"`
	Kills     []Kill          `json:"kills"`
	Crashes   []Crash         `json:"crashes,omitempty"`
	Storm     *Storm          `json:"storm,omitempty"`
}

// Kill is a fault and the proof that it fired.
type Kill struct {
	// Point is where the process was, Group the consumer group for a point of a
	// consumer.
	Point string `json:"point"`
	Group string `json:"group,omitempty"`
	// EventID is the event that was on its way, as the process reported it. Empty
	// where the point was never reached.
	EventID string `json:"eventId"`
	PID     int    `json:"pid"`
	// Signal is what ended the process by its wait status.
	Signal string `json:"signal"`
	// Evidence is what databases and log said right after the death, and
	// Confirmed whether that is the state between the two steps.
	Evidence  string `json:"evidence"`
	Confirmed bool   `json:"confirmed"`
	// Occurrences is how often the event stands on the log in the end.
	Occurrences int `json:"occurrences"`
}

// Crash is the death of a whole platform, database and broker included.
type Crash struct {
	Number int `json:"number"`
	// PID is the process that is services and broker, Signal what ended it by its
	// wait status.
	PID    int    `json:"pid"`
	Signal string `json:"signal"`
	// Servers are the database's processes that were killed, and IsUnclean
	// whether it left the marks of a server that never shut down.
	Servers   []int `json:"servers"`
	IsUnclean bool  `json:"isUnclean"`
	// Late is how many of Servers were found only once the services were dead: a
	// start had made them meanwhile.
	Late int `json:"late,omitempty"`
	// IsShutDown is what the database's control file says: that the server came
	// to shut down before it could be killed.
	IsShutDown bool `json:"isShutDown"`
	// WasUp tells a platform that worked from one that was still starting.
	WasUp bool `json:"wasUp"`
	// At is right before the first signal, Dead once no process was left.
	At   time.Time `json:"at"`
	Dead time.Time `json:"dead"`
	// Unanswered acceptances were on their way at At.
	Unanswered int `json:"unanswered"`
}
