package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// VersionsRequest is what [SkipVersions] needs. All fields are required.
type VersionsRequest struct {
	// Group waits for the versions From to To, both included, of an aggregate
	// whose events it reads from Topic.
	Group, Topic                         string
	TenantID, AggregateType, AggregateID string
	From, To                             int64
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
	// FindFunc looks for the missing events everywhere else and says where one
	// stands that would still come: on the log, or in its producer's outbox.
	// Empty where there is none. What it cannot look into is an error.
	// runbook.FindMissing is one.
	FindFunc func(ctx context.Context, m Missing) (place string, err error)
}

// Missing are versions of an aggregate that a group waits for.
type Missing struct {
	Topic                                string
	TenantID, AggregateType, AggregateID string
	From, To                             int64
	// Starts are the partitions in which their events can stand, and from which
	// offset on.
	Starts map[int32]int64
}

// VersionsResult is what [SkipVersions] did.
type VersionsResult struct {
	// ActionID names the audited row.
	ActionID string `json:"actionId"`
	// Next is the version that comes now, and HeldEvents how many of the aggregate
	// waited at that moment. The group applies them within its sweep interval, up
	// to the next gap.
	Next       int64 `json:"nextVersion"`
	HeldEvents int64 `json:"heldEvents"`
}

// NotMissingError says that versions of an aggregate are not what a group waits
// for.
type NotMissingError struct {
	Group, AggregateID string
	From, To           int64
	// Applied is the last version that passed, Next the lowest one that waits, 0
	// where none does.
	Applied, Next int64
}

func (e *NotMissingError) Error() string {
	what := fmt.Sprintf("deadletter: skip versions %d to %d of %s: %s is at version %d", e.From, e.To, e.AggregateID, e.Group, e.Applied)
	if e.Next <= e.Applied+1 {
		return what + " and waits for no missing one; nothing is to be skipped"
	}
	return fmt.Sprintf("%s and version %d waits, so versions %d to %d are missing; skip from %d on, to %d at most",
		what, e.Next, e.Applied+1, e.Next-1, e.Applied+1, e.Next-1)
}

// StillComingError says that a version that a group waits for can still reach it.
type StillComingError struct {
	AggregateID string
	// Place says where it stands.
	Place string
}

func (e *StillComingError) Error() string {
	return fmt.Sprintf("deadletter: skip versions of %s: %s, so the group may still get it; let it come", e.AggregateID, e.Place)
}

func (r VersionsRequest) validate() error {
	var problems []error
	for _, f := range []struct{ name, value, hint string }{
		{"Group", r.Group, "say which group waits"},
		{"Topic", r.Topic, "say which topic it reads the aggregate from"},
		{"TenantID", r.TenantID, "say whose aggregate it is"},
		{"AggregateType", r.AggregateType, "say which aggregate"},
		{"AggregateID", r.AggregateID, "say which aggregate"},
		{"Reason", r.Reason, "say why these events may be lost to this group"},
		{"Operator", r.Operator, "say who decided"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("deadletter.VersionsRequest.%s: it is empty; %s", f.name, f.hint))
		}
	}
	if r.From < 1 || r.To < r.From {
		problems = append(problems, fmt.Errorf("deadletter.VersionsRequest.From: %d to %d are no versions; they begin with 1", r.From, r.To))
	}
	if r.FindFunc == nil {
		problems = append(problems, errors.New("deadletter.VersionsRequest.FindFunc: it is nil; pass one that looks into the log and the outboxes"))
	}
	return errors.Join(problems...)
}

// SkipVersions lets a group go on behind versions of an aggregate that will never
// come, because their events were skipped in the outbox or are lost, and that no
// dead letter stands for. Later events of the aggregate that wait are applied in
// order. It skips nothing that waits itself, and nothing that FindFunc finds: the
// versions below one that waits were all appended before it, so what is nowhere
// then stays away. One that comes all the same is dropped as a duplicate, or is a
// VERSION_CONFLICT while it is the last one skipped.
//
// Errors: a [*NotMissingError], also when it is done already; a
// [*StillComingError].
func SkipVersions(ctx context.Context, pool *pgxpool.Pool, r VersionsRequest) (VersionsResult, error) {
	if err := r.validate(); err != nil {
		return VersionsResult{}, fmt.Errorf("deadletter: skip versions: %w", err)
	}
	result, err := r.skip(ctx, pool)
	var not *NotMissingError
	var coming *StillComingError
	if err == nil || errors.As(err, &not) || errors.As(err, &coming) {
		return result, err
	}
	return VersionsResult{}, fmt.Errorf("deadletter: skip versions of %s: %w", r.AggregateID, err)
}

func (r VersionsRequest) skip(ctx context.Context, pool *pgxpool.Pool) (result VersionsResult, err error) {
	before, err := r.gap(ctx, pool)
	if err != nil {
		return result, err
	}
	place, err := r.FindFunc(ctx, r.missing(before))
	if err != nil {
		return result, fmt.Errorf("look for them elsewhere: %w", err)
	}
	if place != "" {
		return result, &StillComingError{AggregateID: r.AggregateID, Place: place}
	}
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		args := r.args()
		args["partitions"] = before.partitions
		if _, err := tx.Exec(ctx, statement("lock_partitions"), args); err != nil {
			return err
		}
		now, err := r.gap(ctx, tx)
		if err != nil {
			return err
		}
		result = VersionsResult{ActionID: "act_" + envelope.NewID(), Next: r.To + 1, HeldEvents: now.held}
		return r.pass(ctx, tx, result, now)
	})
	return result, err
}

// gap is where a group stands with an aggregate.
type gap struct {
	applied, next, held int64
	partitions          []int32
	// at and offset are where the last applied event stood, -1 where nobody knows.
	at     int32
	offset int64
}

func (r VersionsRequest) args() named.Args {
	return named.Args{
		"consumer": r.Group, "topic": r.Topic, "tenant_id": r.TenantID, "aggregate_type": r.AggregateType, "aggregate_id": r.AggregateID,
	}
}

// gap reads it, and refuses versions that are not missing.
func (r VersionsRequest) gap(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (g gap, err error) {
	err = db.QueryRow(ctx, statement("gap"), r.args()).Scan(&g.applied, &g.next, &g.held, &g.partitions, &g.at, &g.offset)
	if err == nil && (r.From != g.applied+1 || r.To >= g.next) {
		err = &NotMissingError{Group: r.Group, AggregateID: r.AggregateID, From: r.From, To: r.To, Applied: g.applied, Next: g.next}
	}
	return g, err
}

// missing says where to look: in the partitions of what waits and of what was
// applied last, there behind it.
func (r VersionsRequest) missing(g gap) Missing {
	m := Missing{
		Topic: r.Topic, TenantID: r.TenantID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
		From: r.From, To: r.To, Starts: map[int32]int64{},
	}
	for _, p := range g.partitions {
		m.Starts[p] = 0
	}
	if g.at >= 0 {
		m.Starts[g.at] = g.offset + 1
	}
	return m
}

func (r VersionsRequest) pass(ctx context.Context, tx pgx.Tx, result VersionsResult, g gap) error {
	_, err := tx.Exec(ctx, statement("pass_gate"), r.Group, r.Topic, r.TenantID, r.AggregateType, r.AggregateID, r.To, result.ActionID, false)
	if err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]any{
		"consumer": r.Group, "topic": r.Topic, "tenantId": r.TenantID, "aggregateType": r.AggregateType, "aggregateId": r.AggregateID,
		"fromVersion": r.From, "toVersion": r.To, "nextWaiting": g.next, "heldEvents": g.held,
	})
	if err != nil {
		return err
	}
	return recordAction(ctx, tx, action{
		id: result.ActionID, name: "consumer.skip-versions", target: r.AggregateID, operator: r.Operator, reason: r.Reason, detail: detail, at: time.Now(),
	})
}
