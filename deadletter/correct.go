package deadletter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/inbox"
	"factline.dev/internal/named"
)

// The headers by which a corrected event names what it takes the place of: the
// event on the log, and its dead letter.
const (
	HeaderCorrectsEventID    = "corrects-event-id"
	headerCorrectsDeadLetter = "corrects-dead-letter-id"
)

// CorrectRequest is what [Correct] needs. All fields are required.
type CorrectRequest struct {
	// ID is that of an [Entry].
	ID string
	// Event is the event of the dead letter with another payload, as JSON. Its
	// eventId, causationId and publishedAt are not looked at, everything else must
	// be as it was.
	Event []byte
	// Contracts are those of today, which the corrected event must keep.
	Contracts Contracts
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided, Team the one that they act for: see PlanRequest.
	Operator, Team string
}

// Correction is an event that an operator put in the place of one that was given
// up, for the group alone that gave it up.
type Correction struct {
	ID       string `json:"correctionId"`
	LetterID string `json:"deadLetterId"`
	// EventID is that of the corrected event, ReplacedID of the one before it.
	EventID    string    `json:"eventId"`
	ReplacedID string    `json:"replacedEventId"`
	Operator   string    `json:"operator"`
	Reason     string    `json:"reason"`
	At         time.Time `json:"correctedAt"`
}

// NotPayloadError says that a correction changes more than the payload.
type NotPayloadError struct {
	ID string
	// Fields are those that differ.
	Fields []string
}

func (e *NotPayloadError) Error() string {
	return fmt.Sprintf("deadletter: correct %s: %s differ from the event that was given up; a correction may change the payload alone", e.ID, strings.Join(e.Fields, ", "))
}

func scanCorrection(row pgx.CollectableRow) (c Correction, err error) {
	err = row.Scan(&c.ID, &c.LetterID, &c.EventID, &c.ReplacedID, &c.Operator, &c.Reason, &c.At)
	c.At = c.At.UTC()
	return c, err
}

func (r CorrectRequest) validate() error {
	var problems []error
	for _, f := range []struct{ name, value, hint string }{
		{"ID", r.ID, "list the dead letters to find it"},
		{"Event", string(r.Event), "pass the event with its corrected payload"},
		{"Reason", r.Reason, "say what was wrong"},
		{"Operator", r.Operator, "say who decided"},
		{"Team", r.Team, "say which team the operator acts for"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("deadletter.CorrectRequest.%s: it is empty; %s", f.name, f.hint))
		}
	}
	if r.Contracts == nil {
		problems = append(problems, errors.New("deadletter.CorrectRequest.Contracts: it is nil; pass the catalogue of today"))
	}
	return errors.Join(problems...)
}

// Correct puts a corrected event in the place of one whose payload its group cannot
// take, and has the group try it as a redrive would: alone, in the order of its
// key. The corrected event is a new one, caused by the original and naming it in
// [HeaderCorrectsEventID], with the aggregate, version and key of the original; it
// reaches no other group and never the log. Once it had its effect, the dead letter
// is Corrected; if it fails, the letter is open again and holds the corrected event.
// The same correction twice is one, for as long as it is under way or had its effect.
//
// Do not correct what is wrong for everybody: that is a command to the event's
// owner, and a later event. A rebuild of the group's tables from the log meets the
// original again.
//
// Errors: [ErrNotFound]; [ErrSettled]; [ErrRedriven]; a [*NotPayloadError]; a
// *contract.ViolationError for a payload that breaks the contract.
func Correct(ctx context.Context, pool *pgxpool.Pool, r CorrectRequest) (Correction, error) {
	if err := r.validate(); err != nil {
		return Correction{}, fmt.Errorf("deadletter: correct: %w", err)
	}
	var c Correction
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) (err error) {
		c, err = r.correct(ctx, tx)
		return err
	})
	var more *NotPayloadError
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrSettled) || errors.Is(err, ErrRedriven) || errors.As(err, &more) {
		return c, err
	}
	return Correction{}, fmt.Errorf("deadletter: correct %s: %w", r.ID, err)
}

func (r CorrectRequest) correct(ctx context.Context, tx pgx.Tx) (Correction, error) {
	l, err := lock(ctx, tx, r.ID)
	if err != nil {
		return Correction{}, err
	}
	before, err := get(ctx, tx, r.ID)
	if err != nil {
		return Correction{}, err
	}
	given, current, err := r.read(before)
	if err != nil {
		return Correction{}, err
	}
	same := samePayload(given.Payload, current.Payload)
	if n := len(before.Corrections); n > 0 && same && (l.state == Redriven || l.state == Corrected) {
		return before.Corrections[n-1], nil
	}
	if err := r.check(l, same, current); err != nil {
		return Correction{}, err
	}
	return r.store(ctx, tx, l, before, r.corrected(before, given, current))
}

// read decodes the given event and the one that the letter holds.
func (r CorrectRequest) read(before Entry) (given, current envelope.Raw, err error) {
	if current, err = envelope.DecodeRaw(before.Record.OriginalValue); err != nil {
		return given, current, fmt.Errorf("the event that was given up cannot be read (%w), so nobody can tell its place; skip it", err)
	}
	if given, err = envelope.DecodeRaw(r.Event); err != nil {
		return given, current, fmt.Errorf("the given event cannot be read: %w", err)
	}
	if fields := differences(given, current); len(fields) > 0 {
		return given, current, &NotPayloadError{ID: r.ID, Fields: fields}
	}
	return given, current, nil
}

// differences are the fields, by their names on the wire, that a correction must
// not change and that differ.
func differences(given, current envelope.Raw) (fields []string) {
	for _, e := range []*envelope.Raw{&given, &current} {
		e.EventID, e.CausationID, e.PublishedAt, e.Payload = "", "", time.Time{}, nil
	}
	a, b := reflect.ValueOf(given), reflect.ValueOf(current)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			name := a.Type().Field(i).Name
			fields = append(fields, strings.Replace(strings.ToLower(name[:1])+name[1:], "ID", "Id", 1))
		}
	}
	return fields
}

func samePayload(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func (r CorrectRequest) check(l *letter, same bool, current envelope.Raw) error {
	switch {
	case l.state == Redriven:
		return ErrRedriven
	case l.state != Open:
		return ErrSettled
	case l.class == consumer.VersionConflict:
		return errors.New("another event has its version, which no payload changes; skip it, or see to its producer")
	case same:
		return errors.New("its payload is the one that was given up; redrive it instead")
	}
	if right := rightOf(r.Contracts, l.topic, l.consumer, current.EventType); !right.allows(r.Team) {
		return errors.New(right.refusal(r.Team))
	}
	return nil
}

// corrected is the new event: all of the one it replaces but what makes it new.
func (r CorrectRequest) corrected(before Entry, given, current envelope.Raw) envelope.Raw {
	current.CausationID = originalID(before, current)
	current.EventID, current.PublishedAt, current.Payload = envelope.NewID(), time.Now().UTC().Truncate(time.Millisecond), given.Payload
	return current
}

// originalID is the event on the log, however often it was corrected.
func originalID(before Entry, current envelope.Raw) string {
	if len(before.Corrections) > 0 {
		return before.Corrections[0].ReplacedID
	}
	return current.EventID
}

func (r CorrectRequest) store(ctx context.Context, tx pgx.Tx, l *letter, before Entry, event envelope.Raw) (c Correction, err error) {
	value, err := envelope.Encode(event)
	if err != nil {
		return c, err
	}
	if err := r.Contracts.Validate(event.EventType, event.EventVersion, value); err != nil {
		return c, err
	}
	c = Correction{
		ID: "cor_" + envelope.NewID(), LetterID: r.ID, EventID: event.EventID, ReplacedID: l.eventID,
		Operator: r.Operator, Reason: r.Reason, At: event.PublishedAt,
	}
	_, err = tx.Exec(ctx, statement("correct"), named.Args{
		"correction_id": c.ID, "letter_id": r.ID, "event_id": c.EventID, "operator": r.Operator, "reason": r.Reason, "now": c.At,
		"headers": envelope.EncodeHeaders(r.headers(before.Record.OriginalHeaders, event)), "value": value,
	})
	if err != nil {
		return c, err
	}
	taken, err := inbox.TakeRedrives(ctx, tx, l.consumer, c.At, inbox.Redrive{ID: c.ID, DeadLetterID: r.ID})
	if err == nil && len(taken) == 0 {
		err = errors.New("its group did not take it")
	}
	if err != nil {
		return c, err
	}
	return c, r.audit(ctx, tx, l, c, before.Record.OriginalValue, value)
}

// headers are those of the new event, and what else the original had.
func (r CorrectRequest) headers(before []envelope.Header, event envelope.Raw) []envelope.Header {
	traceparent, _ := envelope.HeaderValue(before, envelope.HeaderTraceparent)
	all := envelope.Headers(event, string(traceparent))
	all = append(all, envelope.Header{Key: HeaderCorrectsEventID, Value: []byte(event.CausationID)},
		envelope.Header{Key: headerCorrectsDeadLetter, Value: []byte(r.ID)})
	for _, h := range before {
		if !slices.ContainsFunc(all, func(known envelope.Header) bool { return known.Key == h.Key }) {
			all = append(all, h)
		}
	}
	return all
}

func (r CorrectRequest) audit(ctx context.Context, tx pgx.Tx, l *letter, c Correction, before, after []byte) error {
	was, is := sha256.Sum256(before), sha256.Sum256(after)
	detail, err := json.Marshal(map[string]any{
		"correctionId": c.ID, "consumer": l.consumer, "topic": l.topic, "partition": l.partition, "offset": l.offset,
		"eventId": c.EventID, "replacedEventId": c.ReplacedID, "team": r.Team,
		"sha256": hex.EncodeToString(is[:]), "replacedSha256": hex.EncodeToString(was[:]),
	})
	if err != nil {
		return err
	}
	return recordAction(ctx, tx, action{
		id: "act_" + envelope.NewID(), name: "deadletter.correct", target: r.ID, operator: r.Operator, reason: r.Reason, detail: detail, at: c.At,
	})
}

// RecordCorrection writes a correction into the history of a letter, once. It does
// nothing for a letter that the store does not have yet.
func (s *Store) RecordCorrection(ctx context.Context, e Entry, c Correction) error {
	detail, err := json.Marshal(map[string]string{"eventId": c.EventID, "replacedEventId": c.ReplacedID})
	if err != nil {
		return err
	}
	d := e.Record
	_, err = s.cfg.Pool.Exec(ctx, statement("record_correction"), named.Args{
		"topic": d.SourceTopic, "partition": d.SourcePartition, "offset": d.SourceOffset, "consumer": d.ConsumerGroup,
		"correction_id": c.ID, "operator": c.Operator, "reason": c.Reason, "detail": detail, "at": c.At,
	})
	if err != nil {
		return fmt.Errorf("deadletter: record the correction of %s: %w; it was corrected all the same", e.ID, err)
	}
	return nil
}
