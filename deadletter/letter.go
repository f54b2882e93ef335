package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// Letter is one dead letter in the [Store].
type Letter struct {
	// ID names the letter in commands. It is the id in the group's own database,
	// or made of the coordinates where the record on the topic names none.
	ID string `json:"deadLetterId"`
	// Record is the newest of the dead-letter topic. Its original key, headers and
	// value are left out of lists.
	Record           consumer.DeadLetter `json:"record"`
	TenantID         string              `json:"tenantId"`
	AggregateType    string              `json:"aggregateType"`
	AggregateID      string              `json:"aggregateId"`
	AggregateVersion int64               `json:"aggregateVersion"`
	// Fingerprint is what the letters of one cause have in common, see [Fingerprint].
	Fingerprint string `json:"fingerprint"`
	// Failures is how many records told of it: one more after each failed redrive.
	Failures int `json:"failures"`
	// FirstFailedAt is the time of the first record, Record.FailedAt of the newest.
	FirstFailedAt time.Time `json:"firstFailedAt"`
	// State is one of the states of a dead letter, as far as the store knows.
	State   string    `json:"state"`
	StateAt time.Time `json:"stateAt"`
	// History is what happened to it, oldest first. Left out of lists.
	History []Event `json:"history,omitempty"`
}

// Event is one entry in the history of a letter.
type Event struct {
	// Kind is FAILED (a record on the dead-letter topic), REDRIVEN (on its way to
	// its group), APPLIED, FAILED_AGAIN, SKIPPED, SUPERSEDED, CORRECTION (an event
	// was put in its place), CORRECTED (that one had its effect), or ABANDONED (it
	// never reached its group, and the redrive was given up).
	Kind      string          `json:"kind"`
	At        time.Time       `json:"at"`
	RedriveID string          `json:"redriveId,omitempty"`
	Operator  string          `json:"operator,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Detail    json.RawMessage `json:"detail,omitempty"`
}

// Selection chooses letters. Empty fields match all.
type Selection struct {
	// Topic is the source topic, Group the consumer group that failed.
	Topic string `json:"topic,omitempty"`
	Group string `json:"group,omitempty"`
	// Class is an error class, Fingerprint that of a [Group].
	Class       string `json:"class,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	TenantID    string `json:"tenantId,omitempty"`
	EventType   string `json:"eventType,omitempty"`
	State       string `json:"state,omitempty"`
	// ID is a single letter.
	ID string `json:"id,omitempty"`
	// Since and Until bound the newest failure: from Since on, before Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// After is the Next of the page before. Limit is the most of a page, default
	// 200, at most 10000.
	After string `json:"-"`
	Limit int    `json:"-"`
}

// args are the arguments of letters_where.
func (s Selection) args() named.Args {
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	return named.Args{
		"topic": s.Topic, "consumer": s.Group, "class": s.Class, "fingerprint": s.Fingerprint, "tenant_id": s.TenantID,
		"event_type": s.EventType, "state": s.State, "letter_id": s.ID, "since": s.Since, "until": cmp.Or(s.Until, far),
	}
}

// Page is one page of letters, newest failure first.
type Page struct {
	Letters []Letter `json:"letters"`
	// Next continues, empty at the end.
	Next string `json:"next,omitempty"`
}

// List returns a page of letters without their original key, headers and value.
// Where the store has Outcomes it follows what was settled without it, and leaves
// out what is then in another state than the one selected.
func (s *Store) List(ctx context.Context, sel Selection) (Page, error) {
	limit := min(max(cmp.Or(sel.Limit, 200), 1), 10_000)
	args := sel.args()
	args["limit"] = limit + 1
	if err := sel.after(args); err != nil {
		return Page{}, err
	}
	letters, err := query(ctx, s, "list_letters", args, scanLetter)
	if err != nil {
		return Page{}, fmt.Errorf("deadletter: list: %w", err)
	}
	page := Page{Letters: letters}
	if len(letters) > limit {
		page.Letters = letters[:limit]
		last := page.Letters[limit-1]
		page.Next = last.Record.FailedAt.UTC().Format(time.RFC3339Nano) + "/" + last.ID
	}
	if s.cfg.Outcomes != nil {
		page.Letters, err = s.follow(ctx, page.Letters, sel.State)
	}
	return page, err
}

func (s Selection) after(args named.Args) error {
	args["after_time"], args["after_id"] = (*time.Time)(nil), ""
	if s.After == "" {
		return nil
	}
	text, id, _ := strings.Cut(s.After, "/")
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || id == "" {
		return errors.New("deadletter: list: After is no page mark; pass the Next of the page before")
	}
	args["after_time"], args["after_id"] = &at, id
	return nil
}

// Group is the letters of one source topic, consumer group and fingerprint.
type Group struct {
	Topic         string    `json:"topic"`
	ConsumerGroup string    `json:"consumerGroup"`
	Fingerprint   string    `json:"fingerprint"`
	ErrorClass    string    `json:"errorClass"`
	Letters       int64     `json:"letters"`
	Keys          int64     `json:"keys"`
	FirstFailedAt time.Time `json:"firstFailedAt"`
	LastFailedAt  time.Time `json:"lastFailedAt"`
	// Sample is the newest letter, SampleMessage its error.
	Sample        string `json:"sample"`
	SampleMessage string `json:"sampleMessage"`
}

// Groups returns the groups of the selected letters, the largest first.
func (s *Store) Groups(ctx context.Context, sel Selection) ([]Group, error) {
	groups, err := query(ctx, s, "group_letters", sel.args(), func(row pgx.CollectableRow) (g Group, err error) {
		err = row.Scan(&g.Topic, &g.ConsumerGroup, &g.Fingerprint, &g.ErrorClass, &g.Letters, &g.Keys,
			&g.FirstFailedAt, &g.LastFailedAt, &g.Sample, &g.SampleMessage)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("deadletter: group: %w", err)
	}
	return groups, nil
}

// Get returns one letter with its whole record and history, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (Letter, error) {
	letters, err := query(ctx, s, "get_letter", named.Args{"letter_id": id}, scanLetter)
	if err != nil {
		return Letter{}, fmt.Errorf("deadletter: get %s: %w", id, err)
	}
	if len(letters) == 0 {
		return Letter{}, ErrNotFound
	}
	letter := letters[0]
	letter.History, err = query(ctx, s, "get_history", named.Args{"letter_id": id}, func(row pgx.CollectableRow) (e Event, err error) {
		err = row.Scan(&e.Kind, &e.At, &e.RedriveID, &e.Operator, &e.Reason, &e.Detail)
		return e, err
	})
	if err != nil {
		return Letter{}, fmt.Errorf("deadletter: get history of %s: %w", id, err)
	}
	return letter, nil
}

func scanLetter(row pgx.CollectableRow) (l Letter, err error) {
	var headers []byte
	d := &l.Record
	err = row.Scan(&l.ID, &d.ConsumerGroup, &d.SourceTopic, &d.SourcePartition, &d.SourceOffset, &l.TenantID,
		&l.AggregateType, &l.AggregateID, &l.AggregateVersion, &d.EventID, &d.EventType, &d.ErrorClass, &d.ErrorMessage,
		&l.Fingerprint, &d.AttemptCount, &l.Failures, &d.Blocks, &d.OriginalKey, &headers, &d.OriginalValue, &d.Omitted,
		&l.FirstFailedAt, &d.FailedAt, &l.State, &l.StateAt)
	if err != nil {
		return Letter{}, err
	}
	d.ID, d.TenantID, d.AggregateType, d.AggregateID, d.AggregateVersion = l.ID, l.TenantID, l.AggregateType, l.AggregateID, l.AggregateVersion
	d.OriginalHeaders, err = envelope.DecodeHeaders(headers)
	return l, err
}

// RecordSkip writes down that a letter was skipped in its group's database. It
// does nothing for a letter that the store does not have yet.
func (s *Store) RecordSkip(ctx context.Context, e Entry, r SkipRequest) error {
	d := e.Record
	_, err := s.cfg.Pool.Exec(ctx, statement("record_skip"), named.Args{
		"topic": d.SourceTopic, "partition": d.SourcePartition, "offset": d.SourceOffset, "consumer": d.ConsumerGroup,
		"operator": r.Operator, "reason": r.Reason, "now": s.cfg.Now(),
	})
	if err != nil {
		return fmt.Errorf("deadletter: record the skip of %s: %w; it was skipped all the same", e.ID, err)
	}
	return nil
}

func query[T any](ctx context.Context, s *Store, name string, args named.Args, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := s.cfg.Pool.Query(ctx, statement(name), args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
