package effect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// The states of a call.
const (
	// Held waits behind an earlier call of its order key.
	Held = "HELD"
	// Pending waits for an attempt or is being made.
	Pending = "PENDING"
	// Answered waits for OnResult: the call itself is made.
	Answered = "ANSWERED"
	// Done is made, and its answer has taken effect.
	Done = "DONE"
	// Dead was given up and waits for an operator. It holds its order key.
	Dead = "DEAD"
	// Skipped was given up for good, with a reason.
	Skipped = "SKIPPED"
)

// Entry is one call of this database.
type Entry struct {
	// ID names the call in [Get], [Retry] and [Skip].
	ID       int64  `json:"callId"`
	Name     string `json:"name"`
	Key      string `json:"key"`
	OrderKey string `json:"orderKey,omitempty"`
	TenantID string `json:"tenantId"`
	// EventID is the event or command because of which the call was stored.
	EventID string `json:"eventId"`
	State   string `json:"state"`
	// Attempts counts calls begun, ResultAttempts runs of OnResult.
	Attempts       int `json:"attempts"`
	ResultAttempts int `json:"resultAttempts"`
	// Error is the last failure, empty after a success.
	Error string `json:"error,omitempty"`
	// Owner is the worker that had the call last.
	Owner string `json:"owner,omitempty"`
	// DueAt is when the next attempt may begin; while one is made, when its
	// lease ends.
	DueAt      time.Time  `json:"dueAt"`
	StoredAt   time.Time  `json:"storedAt"`
	AnsweredAt *time.Time `json:"answeredAt,omitempty"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
	// Request and Response are empty in a [List].
	Request  []byte `json:"request,omitempty"`
	Response []byte `json:"response,omitempty"`
	// HeldCalls is how many calls of the same order key wait behind it.
	HeldCalls int64 `json:"heldCalls"`
}

// Filter narrows a [List]. Empty fields match all.
type Filter struct {
	Name, State string
	// Limit is the most entries returned, newest first. Default 200, at most
	// 10000.
	Limit int
}

// List returns calls without request and response, newest first.
func List(ctx context.Context, pool *pgxpool.Pool, f Filter) ([]Entry, error) {
	if f.Limit <= 0 {
		f.Limit = 200
	}
	rows, err := pool.Query(ctx, statement("list"), named.Args{"name": f.Name, "state": f.State, "most": min(f.Limit, 10_000)})
	if err != nil {
		return nil, fmt.Errorf("effect: list calls: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
	if err != nil {
		return nil, fmt.Errorf("effect: list calls: %w", err)
	}
	return entries, nil
}

// Get returns one call with request and response, or [ErrNotFound].
func Get(ctx context.Context, pool *pgxpool.Pool, id int64) (Entry, error) {
	rows, err := pool.Query(ctx, statement("get"), named.Args{"call_id": id})
	if err != nil {
		return Entry{}, fmt.Errorf("effect: get call %d: %w", id, err)
	}
	entry, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Entry])
	if errors.Is(err, pgx.ErrNoRows) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, fmt.Errorf("effect: get call %d: %w", id, err)
	}
	return entry, nil
}

// Decision is what [Retry] and [Skip] need. All fields are required.
type Decision struct {
	ID int64
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
}

func (d Decision) validate() error {
	var problems []error
	if strings.TrimSpace(d.Reason) == "" {
		problems = append(problems, errors.New("effect.Decision.Reason: it is empty; say why"))
	}
	if strings.TrimSpace(d.Operator) == "" {
		problems = append(problems, errors.New("effect.Decision.Operator: it is empty; say who decided"))
	}
	return errors.Join(problems...)
}

// Retry gives a dead call its attempts again, with the same key; one whose
// answer is recorded only repeats OnResult. It returns the id of the audited
// row in factline.operator_action. Errors: [ErrNotFound], [ErrNotDead].
func Retry(ctx context.Context, pool *pgxpool.Pool, d Decision) (actionID string, err error) {
	return settle(ctx, pool, "retry", d)
}

// Skip gives a dead call up for good and lets the next one of its order key go.
// Result and errors are those of [Retry].
func Skip(ctx context.Context, pool *pgxpool.Pool, d Decision) (actionID string, err error) {
	return settle(ctx, pool, "skip", d)
}

func settle(ctx context.Context, pool *pgxpool.Pool, act string, d Decision) (actionID string, err error) {
	if err := d.validate(); err != nil {
		return "", fmt.Errorf("effect: %s call %d: %w", act, d.ID, err)
	}
	actionID = "act_" + envelope.NewID()
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return settleIn(ctx, tx, act, actionID, d)
	})
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrNotDead):
		return "", err
	case err != nil:
		return "", fmt.Errorf("effect: %s call %d: %w", act, d.ID, err)
	}
	return actionID, nil
}

// deadCall is what an auditor wants to know of a settled call.
type deadCall struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	OrderKey string `json:"orderKey,omitempty"`
	EventID  string `json:"eventId"`
	State    string `json:"-"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error"`
}

func settleIn(ctx context.Context, tx pgx.Tx, act, actionID string, d Decision) error {
	rows, err := tx.Query(ctx, statement("lock"), named.Args{"call_id": d.ID})
	if err != nil {
		return err
	}
	call, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[deadCall])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	case call.State != Dead:
		return ErrNotDead
	}
	detail, err := json.Marshal(call)
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(statement(act), named.Args{"call_id": d.ID})
	b.Queue(statement("record_action"), named.Args{
		"action_id": actionID, "action": "effect." + act, "target": strconv.FormatInt(d.ID, 10),
		"operator": d.Operator, "reason": d.Reason, "detail": detail,
	})
	if err := tx.SendBatch(ctx, &b).Close(); err != nil || act != "skip" {
		return err
	}
	return letNext(ctx, tx, call.Name, call.OrderKey)
}
