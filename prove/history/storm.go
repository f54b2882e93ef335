package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The databases of a storm: where writers append, and where effects are.
const (
	StormSource = "storm-source"
	StormSink   = "storm-sink"
)

// Operation is a transaction of a writer.
type Operation struct {
	ID string `json:"id"`
	// EventIDs are the events it appended or was to append.
	EventIDs []string `json:"eventIds"`
	// Outcome is what the writer knows.
	Outcome Outcome `json:"outcome"`
	// Reason is why it is not known to be done.
	Reason string `json:"reason,omitempty"`
}

// Effect is what a handler did about one event.
type Effect struct {
	// Sequence is the order in which effects were done.
	Sequence  int64  `json:"sequence"`
	AccountID string `json:"accountId"`
	Version   int64  `json:"version"`
	EventID   string `json:"eventId"`
}

// Balance is the sum of an account, kept by addition.
type Balance struct {
	AccountID string `json:"accountId"`
	Amount    int64  `json:"amount"`
	// Entries is how many additions there were.
	Entries int64 `json:"entries"`
}

// Cut is what faults did to one client.
type Cut struct {
	// Client is who was cut off, Server what from: database or broker.
	Client string `json:"client"`
	Server string `json:"server"`
	// Connections it made, how many the proxy ended, how many of those were in
	// use, how many after answers had been thrown away, and how many within a
	// request.
	Connections int `json:"connections"`
	Cut         int `json:"cut"`
	Busy        int `json:"busy"`
	Unanswered  int `json:"unanswered"`
	Torn        int `json:"torn"`
	// Isolations is how often the server could not be reached for a while.
	Isolations int `json:"isolations"`
	// Silenced went silent for good while new ones passed; on Ignored of them a
	// request came after that.
	Silenced int `json:"silenced"`
	Ignored  int `json:"ignored"`
}

// Signal is what was done to a process.
type Signal struct {
	// Client is which process, by name, and PID by id.
	Client string `json:"client"`
	PID    int    `json:"pid"`
	// Name is SIGSTOP or SIGKILL.
	Name string `json:"name"`
	// Ending is what ended the process by its wait status, empty after SIGSTOP.
	Ending string `json:"ending,omitempty"`
	// Confirmed tells that the process was seen to stand still, or to be dead.
	Confirmed bool `json:"confirmed"`
}

// Mishap is what befell one client, or all, beside the cutting.
type Mishap struct {
	// Client is its name, or "everyone".
	Client string `json:"client"`
	// What is "database silent", "broker refused" and the like, or a signal.
	What string    `json:"what"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Assignment is partitions that a member was given, beside those that it has.
type Assignment struct {
	Member string `json:"member"`
	// Partitions are written as topic/number.
	Partitions []string  `json:"partitions"`
	At         time.Time `json:"at"`
}

// Holders says who was given each partition last, up to a time. assignments are
// in the order in which they came.
func Holders(assignments []Assignment, at time.Time) map[string]string {
	holders := make(map[string]string)
	for _, a := range assignments {
		if a.At.After(at) {
			break
		}
		for _, partition := range a.Partitions {
			holders[partition] = a.Member
		}
	}
	return holders
}

// Lanes is how the relays of a database share its lanes.
type Lanes struct {
	// Takeovers is how often one went to another relay so far.
	Takeovers int
	// Relays hold lanes. Even tells that they hold all, and each its share.
	Relays int
	Even   bool
}

// Storm is what only the proof of cut connections records.
type Storm struct {
	Operations []Operation `json:"operations"`
	// Recorded are the operations that the database holds.
	Recorded []string `json:"recorded"`
	Effects  []Effect `json:"effects"`
	// Written are the balances of the writers, Booked those of the handlers.
	Written []Balance `json:"written"`
	Booked  []Balance `json:"booked"`
	Cuts    []Cut     `json:"cuts"`
	Signals []Signal  `json:"signals,omitempty"`
	Mishaps []Mishap  `json:"mishaps"`
	// Assignments are those of all members, in the order in which they came.
	Assignments []Assignment `json:"assignments"`
	// Settled is how often lanes of a database had gone to another relay when all
	// relays had their share and nothing had been done to them yet, Takeovers how
	// often at the end.
	Settled   map[string]int `json:"settled"`
	Takeovers map[string]int `json:"takeovers"`
	// Reached is how far the effects are by the database, Told what the broker
	// was told of it.
	Reached map[string]int64 `json:"reached"`
	Told    map[string]int64 `json:"told"`
}

// Storm adds to s what the databases hold.
func (r *Recorder) Storm(ctx context.Context, s Storm) (Storm, error) {
	source, sink := r.pools[StormSource], r.pools[StormSink]
	var errs [5]error
	s.Recorded, errs[0] = collect(ctx, source, "storm_operations", pgx.RowTo[string])
	s.Effects, errs[1] = collect(ctx, sink, "storm_effects", pgx.RowToStructByPos[Effect])
	s.Written, errs[2] = collect(ctx, source, "storm_balances", pgx.RowToStructByPos[Balance])
	s.Booked, errs[3] = collect(ctx, sink, "storm_balances", pgx.RowToStructByPos[Balance])
	s.Takeovers = make(map[string]int)
	for _, service := range r.services() {
		lanes, err := r.Lanes(ctx, service)
		errs[4] = errors.Join(errs[4], err)
		s.Takeovers[service] = lanes.Takeovers
	}
	return s, errors.Join(errs[:]...)
}

// Lanes returns how the relays of a service share its lanes now.
func (r *Recorder) Lanes(ctx context.Context, service string) (l Lanes, err error) {
	if err := r.pools[service].QueryRow(ctx, statement("storm_lanes")).Scan(&l.Takeovers, &l.Relays, &l.Even); err != nil {
		return l, fmt.Errorf("history: read the lanes of %s: %w", service, err)
	}
	return l, nil
}

// StormOffsets adds how far a group is on a topic, by database and by broker.
func (r *Recorder) StormOffsets(ctx context.Context, s Storm, group, topic string) (Storm, error) {
	next, err := r.NextOffsets(ctx)
	if err != nil {
		return s, err
	}
	told, err := r.CommittedOffsets(ctx, group)
	if err != nil {
		return s, err
	}
	s.Reached, s.Told = make(map[string]int64), make(map[string]int64)
	for at, offset := range next[group] {
		s.Reached[fmt.Sprintf("%s/%d", at.Topic, at.Partition)] = offset
	}
	for at, offset := range told {
		if at.Topic == topic {
			s.Told[fmt.Sprintf("%s/%d", at.Topic, at.Partition)] = offset
		}
	}
	return s, nil
}
