package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// Outcome is what became of one letter of a redrive.
type Outcome struct {
	LetterID string `json:"deadLetterId"`
	// State is REFUSED, PENDING, SENT, APPLIED, FAILED, SKIPPED, SUPERSEDED,
	// NOT_SENT or ABANDONED.
	State string `json:"state"`
	// Code is one of the Refused constants where the plan refused it, Detail why
	// it did not go.
	Code      string     `json:"code,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	SentAt    *time.Time `json:"sentAt,omitempty"`
	SettledAt *time.Time `json:"settledAt,omitempty"`
}

// Redrive returns the plan of a redrive and its receipt as it stands now, with
// counts of this moment. Errors: [ErrNoRedrive].
func (s *Store) Redrive(ctx context.Context, id string) (plan Plan, receipt Receipt, err error) {
	r := &redrive{store: s, id: id}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		h, err := loadHead(ctx, tx, id)
		if err != nil {
			return err
		}
		if plan, err = r.restore(h); err != nil {
			return err
		}
		if hasEnded(h.State) {
			return nil // its receipt is complete, and outlives its letters
		}
		return r.count(ctx, tx)
	})
	return plan, r.receipt, wrapRedrive(id, err)
}

// restore makes the receipt of what is stored of a redrive.
func (r *redrive) restore(h head) (plan Plan, err error) {
	if err := json.Unmarshal(h.Plan, &plan); err != nil {
		return plan, err
	}
	r.receipt = Receipt{Operator: plan.Operator, Team: plan.Team, Reason: plan.Reason, Selection: plan.Selection, ContentHash: plan.Hash, PlannedAt: plan.PlannedAt}
	if err := json.Unmarshal(h.Receipt, &r.receipt); err != nil {
		return plan, err
	}
	if err := json.Unmarshal(h.Settings, &r.receipt.Settings); err != nil {
		return plan, err
	}
	r.receipt.RedriveID, r.receipt.State = r.id, h.State
	if h.StartedAt != nil {
		r.receipt.StartedAt = h.StartedAt.UTC()
	}
	return plan, nil
}

// Outcomes returns the letters of a redrive in their order, those in a state
// where one is given.
func (s *Store) Outcomes(ctx context.Context, id, state string) ([]Outcome, error) {
	outcomes, err := query(ctx, s, "list_outcomes", named.Args{"redrive_id": id, "state": state}, func(row pgx.CollectableRow) (o Outcome, err error) {
		err = row.Scan(&o.LetterID, &o.State, &o.Code, &o.Detail, &o.SentAt, &o.SettledAt)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("deadletter: list outcomes of %s: %w", id, err)
	}
	return outcomes, nil
}
