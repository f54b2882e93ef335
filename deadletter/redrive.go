package deadletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// The states of a redrive.
const (
	// Planned was previewed and not begun.
	Planned = "PLANNED"
	// Running is under way, or its process died.
	Running = "RUNNING"
	// Paused was cancelled or saw no outcome for long; resume or abandon it.
	Paused = "PAUSED"
	// Stopped ended by its stop rule; what did not go stays open.
	Stopped = "STOPPED"
	// Done has an outcome for every letter.
	Done = "DONE"
	// Abandoned was given up by an operator; what has no outcome is open again.
	Abandoned = "ABANDONED"
)

// The states of a letter in a redrive.
const (
	itemRefused   = "REFUSED"
	itemPending   = "PENDING"
	itemSent      = "SENT"
	itemApplied   = "APPLIED"
	itemFailed    = "FAILED"
	itemSkipped   = "SKIPPED"
	itemNotSent   = "NOT_SENT"
	itemAbandoned = "ABANDONED"
	// itemSuperseded was needed no more when its turn came.
	itemSuperseded = "SUPERSEDED"
)

// Settings say how a redrive goes. They are stored when it begins and hold for
// every resumption.
type Settings struct {
	// Rate is the most events a second once it runs up; it begins with a tenth and
	// doubles each second. Default 100. Negative has no limit.
	Rate float64 `json:"rate"`
	// Canary is how many letters of each group (topic, consumer, fingerprint) go
	// first; all must be applied before more go. Default 1. Negative has none.
	Canary int `json:"canary"`
	// StopAfter is how many failures end the redrive. Default 10. Negative never
	// ends it.
	StopAfter int `json:"stopAfter"`
	// StopShare is the share of failures among outcomes, from the twentieth on,
	// that ends it. Default 0.1. Negative never ends it.
	StopShare float64 `json:"stopShare"`
	// MaxInFlight is how many letters may wait for their outcome. Default 1000.
	MaxInFlight int `json:"maxInFlight"`
}

// WithDefaults returns r with every unset field at its default.
func (r Settings) WithDefaults() Settings {
	r.Rate = cmp.Or(r.Rate, 100)
	r.Canary = cmp.Or(r.Canary, 1)
	r.StopAfter = cmp.Or(r.StopAfter, 10)
	r.StopShare = cmp.Or(r.StopShare, 0.1)
	r.MaxInFlight = max(cmp.Or(r.MaxInFlight, 1000), 1)
	return r
}

// Progress is how far a redrive is.
type Progress struct {
	// Phase is "canary", "ramp" or "waiting".
	Phase string
	Counts
	// Left is an estimate, 0 where there is none yet.
	Left time.Duration
}

// Counts are the letters of a redrive by outcome.
type Counts struct {
	// Planned are those that were to go: the sum of the others but Refused.
	Planned int `json:"planned"`
	// Applied had their effect, Failed are open again.
	Applied int `json:"applied"`
	Failed  int `json:"failed"`
	// Skipped were given up by an operator meanwhile.
	Skipped int `json:"skipped"`
	// Superseded were needed no more: something newer of a current-state topic came.
	Superseded int `json:"superseded"`
	// NotSent stayed where they are: behind a failed one, or changed meanwhile.
	NotSent int `json:"notSent"`
	// Abandoned were not sent, or never reached their group, when the redrive was
	// given up.
	Abandoned int `json:"abandoned"`
	// Waiting were sent and have no outcome, Pending were not sent yet.
	Waiting int `json:"waiting"`
	Pending int `json:"pending"`
	// Refused were refused by the plan.
	Refused int `json:"refused"`
}

// Receipt says who redrove what, why, when, and what came of it.
type Receipt struct {
	RedriveID string    `json:"redriveId"`
	State     string    `json:"state"`
	Operator  string    `json:"operator"`
	Team      string    `json:"team,omitempty"`
	Reason    string    `json:"reason"`
	Selection Selection `json:"selection"`
	// SideEffectsAcknowledged says that the plan was Warned and its warnings read.
	SideEffectsAcknowledged bool `json:"sideEffectsAcknowledged,omitempty"`
	// ContentHash is of the letters that were previewed, OutcomeHash of every
	// letter with its outcome, in order.
	ContentHash string    `json:"contentHash"`
	OutcomeHash string    `json:"outcomeHash"`
	Settings    Settings  `json:"settings"`
	PlannedAt   time.Time `json:"plannedAt"`
	StartedAt   time.Time `json:"startedAt"`
	// EndedAt is zero while it can go on.
	EndedAt time.Time `json:"endedAt,omitzero"`
	Counts
	// Why says what stopped or paused it, or why it was abandoned.
	Why string `json:"why,omitempty"`
}

// Apply is what [Store.ApplyRedrive] needs.
type Apply struct {
	// ID is that of a [Plan]. Required.
	ID string
	// Operator is who starts it. Required.
	Operator string
	// AcknowledgeSideEffects says that the operator has read the warnings of the
	// plan. Required to begin one that is Warned.
	AcknowledgeSideEffects bool
	// Settings of the beginning; a redrive that goes on keeps its own.
	Settings Settings
	// Resume refuses a redrive that never began.
	Resume bool
	// OnProgress is called about twice a second and at the end. Nil is not called.
	OnProgress func(Progress)
}

// ApplyRedrive sends the letters of a plan to their groups and waits for every
// outcome: a canary first, then faster up to the rate, of each key one at a time
// in version order. Every step is stored, so that after a kill the same call
// goes on, and a letter is sent once, or again by a later run if its group never
// took it. What is done already returns its receipt.
//
// Cancelling ctx pauses it; the receipt says so, and there is no error. Errors:
// [ErrNoRedrive]; a [*RunningError] while another run has it; a
// [*PlanChangedError] where a letter is no longer what was previewed; a
// [*SideEffectsError] where the plan warns and nobody says that they read it.
func (s *Store) ApplyRedrive(ctx context.Context, a Apply) (Receipt, error) {
	if err := errors.Join(a.validate(), s.cfg.validateRedrive()); err != nil {
		return Receipt{}, fmt.Errorf("deadletter: redrive: %w", err)
	}
	r := &redrive{store: s, id: a.ID, owner: envelope.NewID(), operator: a.Operator, onProgress: a.OnProgress}
	ended, err := r.begin(ctx, a)
	if err != nil || ended {
		return r.receipt, wrapRedrive(a.ID, err)
	}
	state, why, err := r.run(ctx)
	if err != nil && ctx.Err() == nil {
		r.let(ctx)
		return r.receipt, wrapRedrive(a.ID, err)
	}
	if ctx.Err() != nil {
		state, why = Paused, "it was cancelled"
	}
	// What was reached is recorded also when ctx has ended.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.receipt, wrapRedrive(a.ID, r.end(last, state, why))
}

func (a Apply) validate() error {
	var problems []error
	if a.ID == "" {
		problems = append(problems, errors.New("deadletter.Apply.ID: it is empty; pass the id of a plan"))
	}
	if a.Operator == "" {
		problems = append(problems, errors.New("deadletter.Apply.Operator: it is empty; say who starts it"))
	}
	return errors.Join(problems...)
}

func wrapRedrive(id string, err error) error {
	var running *RunningError
	var changed *PlanChangedError
	var effects *SideEffectsError
	if err == nil || errors.Is(err, ErrNoRedrive) || errors.As(err, &running) || errors.As(err, &changed) || errors.As(err, &effects) {
		return err
	}
	return fmt.Errorf("deadletter: redrive %s: %w", id, err)
}

// redrive is one run.
type redrive struct {
	store               *Store
	id, owner, operator string
	onProgress          func(Progress)
	receipt             Receipt
	queue               *queue
	// heard is when an outcome was seen last, told when progress was reported.
	heard, told, began time.Time
}

// head is the row of a redrive.
type head struct {
	State, Hash             string
	Plan, Settings, Receipt []byte
	StartedAt               *time.Time
	Leased                  bool
	LeasedUntil             time.Time
}

// begin takes the lease. ended is true where nothing is left to do.
func (r *redrive) begin(ctx context.Context, a Apply) (ended bool, err error) {
	var h head
	err = r.store.inTx(ctx, func(tx pgx.Tx) error {
		if h, err = loadHead(ctx, tx, r.id); err != nil {
			return err
		}
		if hasEnded(h.State) {
			ended = true
			return json.Unmarshal(h.Receipt, &r.receipt)
		}
		if h.State == Planned && a.Resume {
			return fmt.Errorf("it never began; apply its plan")
		}
		if h.Leased {
			return &RunningError{ID: r.id, Until: h.LeasedUntil}
		}
		if h.State == Planned {
			if err := r.checkUnchanged(ctx, tx, h.Hash); err != nil {
				return err
			}
		}
		return r.start(ctx, tx, h, a)
	})
	if err != nil || ended {
		return ended, err
	}
	r.queue, err = r.store.loadQueue(ctx, r.id, r.receipt.Settings)
	return false, err
}

func hasEnded(state string) bool { return state == Done || state == Stopped || state == Abandoned }

func loadHead(ctx context.Context, tx pgx.Tx, id string) (head, error) {
	rows, err := tx.Query(ctx, statement("lock_redrive"), named.Args{"redrive_id": id})
	if err != nil {
		return head{}, err
	}
	h, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[head])
	if errors.Is(err, pgx.ErrNoRows) {
		return head{}, ErrNoRedrive
	}
	return h, err
}

// checkUnchanged compares the letters with those that were previewed.
func (r *redrive) checkUnchanged(ctx context.Context, tx pgx.Tx, want string) error {
	rows, err := tx.Query(ctx, statement("planned_letters"), named.Args{"redrive_id": r.id})
	if err != nil {
		return err
	}
	sum := sha256.New()
	var id, state, changed string
	var failures int
	_, err = pgx.ForEachRow(rows, []any{&id, &failures, &state}, func() error {
		if state != Open && changed == "" {
			changed = id
		}
		hashItem(sum, id, failures)
		return nil
	})
	if err != nil {
		return err
	}
	if changed != "" || hex.EncodeToString(sum.Sum(nil)) != want {
		return &PlanChangedError{ID: r.id, Letter: changed}
	}
	return nil
}

func (r *redrive) start(ctx context.Context, tx pgx.Tx, h head, a Apply) error {
	var plan Plan
	if err := json.Unmarshal(h.Plan, &plan); err != nil {
		return err
	}
	if h.State == Planned && plan.Warned && !a.AcknowledgeSideEffects {
		return &SideEffectsError{ID: r.id, Rights: plan.Rights}
	}
	now := r.store.cfg.Now().UTC()
	r.receipt = Receipt{
		RedriveID: r.id, State: Running, Operator: plan.Operator, Team: plan.Team, Reason: plan.Reason, Selection: plan.Selection,
		SideEffectsAcknowledged: plan.Warned,
		ContentHash:             plan.Hash, Settings: a.Settings.WithDefaults(), PlannedAt: plan.PlannedAt, StartedAt: now,
	}
	action := "deadletter.redrive.start"
	if h.StartedAt != nil {
		action, r.receipt.StartedAt = "deadletter.redrive.resume", h.StartedAt.UTC()
		if err := json.Unmarshal(h.Settings, &r.receipt.Settings); err != nil {
			return err
		}
	}
	settings, err := json.Marshal(r.receipt.Settings)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, statement("start_redrive"), named.Args{
		"redrive_id": r.id, "owner": r.owner, "lease": r.store.cfg.LeaseTTL, "settings": settings, "now": r.receipt.StartedAt,
	})
	if err != nil {
		return err
	}
	return r.audit(ctx, tx, action, now)
}

// audit records an act of an operator, in the transaction that makes it true.
func (r *redrive) audit(ctx context.Context, tx pgx.Tx, name string, now time.Time) error {
	detail, err := json.Marshal(r.receipt)
	if err != nil {
		return err
	}
	reason := r.receipt.Reason
	if r.receipt.State == Abandoned {
		reason = r.receipt.Why // which is why it was given up, not why it was planned
	}
	return recordAction(ctx, tx, action{
		id: "act_" + envelope.NewID(), name: name, target: r.id, operator: r.operator, reason: reason, detail: detail, at: now,
	})
}

// end stores the receipt and gives the lease back.
func (r *redrive) end(ctx context.Context, state, why string) error {
	now := r.store.cfg.Now().UTC()
	return r.store.inTx(ctx, func(tx pgx.Tx) error {
		if state == Stopped {
			args := named.Args{"redrive_id": r.id, "detail": "the redrive was stopped before", "now": now}
			if _, err := tx.Exec(ctx, statement("leave_pending"), args); err != nil {
				return err
			}
		}
		return r.close(ctx, tx, state, why, now)
	})
}

// close stores the receipt of a run that ended so, and audits it.
func (r *redrive) close(ctx context.Context, tx pgx.Tx, state, why string, now time.Time) error {
	if err := r.count(ctx, tx); err != nil {
		return err
	}
	r.receipt.State, r.receipt.Why = state, why
	if state != Paused {
		r.receipt.EndedAt = now
	}
	if err := r.storeReceipt(ctx, tx); err != nil {
		return err
	}
	return r.audit(ctx, tx, map[string]string{
		Paused: "deadletter.redrive.pause", Stopped: "deadletter.redrive.stop", Done: "deadletter.redrive.finish",
		Abandoned: "deadletter.redrive.abandon",
	}[state], now)
}

func (r *redrive) storeReceipt(ctx context.Context, tx pgx.Tx) error {
	receipt, err := json.Marshal(r.receipt)
	if err != nil {
		return err
	}
	var endedAt *time.Time
	if !r.receipt.EndedAt.IsZero() {
		endedAt = &r.receipt.EndedAt
	}
	tag, err := tx.Exec(ctx, statement("end_redrive"), named.Args{
		"redrive_id": r.id, "owner": r.owner, "state": r.receipt.State, "receipt": receipt, "ended_at": endedAt,
	})
	if err == nil && tag.RowsAffected() == 0 {
		return errLeaseLost
	}
	return err
}

// count takes the counts and the hash of all outcomes from the table.
func (r *redrive) count(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, statement("outcomes"), named.Args{"redrive_id": r.id})
	if err != nil {
		return err
	}
	r.receipt.Counts = Counts{}
	sum := sha256.New()
	var id, state string
	_, err = pgx.ForEachRow(rows, []any{&id, &state}, func() error {
		r.receipt.add(state)
		_, _ = fmt.Fprintf(sum, "%s %s\n", id, state)
		return nil
	})
	r.receipt.OutcomeHash = hex.EncodeToString(sum.Sum(nil))
	return err
}

func (c *Counts) add(state string) {
	c.Planned++
	switch state {
	case itemRefused:
		c.Planned--
		c.Refused++
	case itemApplied:
		c.Applied++
	case itemFailed:
		c.Failed++
	case itemSkipped:
		c.Skipped++
	case itemSuperseded:
		c.Superseded++
	case itemNotSent:
		c.NotSent++
	case itemAbandoned:
		c.Abandoned++
	case itemSent:
		c.Waiting++
	default:
		c.Pending++
	}
}

// let gives the lease back after a failure, so that the next run need not wait.
func (r *redrive) let(ctx context.Context) {
	_, err := r.store.cfg.Pool.Exec(ctx, statement("let_redrive"), named.Args{"redrive_id": r.id, "owner": r.owner})
	if err != nil {
		r.store.cfg.Logger.Warn("lease of a redrive not given back", "redrive_id", r.id, "error", err.Error())
	}
}
