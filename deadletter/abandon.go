package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// Abandon is what [Store.AbandonRedrive] needs. All fields are required.
type Abandon struct {
	// ID is that of a [Plan].
	ID string
	// Operator is who decides, Reason why; an auditor reads both.
	Operator, Reason string
}

func (a Abandon) validate() error {
	var problems []error
	for _, f := range []struct{ name, value, hint string }{
		{"ID", a.ID, "pass the id of a plan"},
		{"Operator", a.Operator, "say who decides"},
		{"Reason", a.Reason, "say why the redrive is given up"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("deadletter.Abandon.%s: it is empty; %s", f.name, f.hint))
		}
	}
	return errors.Join(problems...)
}

// AbandonRedrive gives a redrive up that is planned, paused or was killed: what it
// did not send, and what it sent and no group took, is open again and can be
// planned anew. What has an outcome meanwhile keeps it. A record that arrives
// after all is one more attempt, at most. What has ended already returns its
// receipt.
//
// It refuses while a group tries a letter of it: that one has its outcome soon.
// Errors: [ErrNoRedrive]; a [*RunningError] while a run has it.
func (s *Store) AbandonRedrive(ctx context.Context, a Abandon) (Receipt, error) {
	problems := a.validate()
	if s.cfg.Outcomes == nil {
		problems = errors.Join(problems, errors.New("deadletter.StoreConfig.Outcomes: it is nil; a redrive needs it"))
	}
	if problems != nil {
		return Receipt{}, fmt.Errorf("deadletter: abandon a redrive: %w", problems)
	}
	r := &redrive{store: s, id: a.ID, owner: envelope.NewID(), operator: a.Operator}
	ended, err := r.lease(ctx)
	if err != nil || ended {
		return r.receipt, wrapRedrive(a.ID, err)
	}
	if err := r.abandon(ctx, a.Reason); err != nil {
		r.let(context.WithoutCancel(ctx))
		return r.receipt, wrapRedrive(a.ID, err)
	}
	return r.receipt, nil
}

// lease keeps runs away. ended is true where nothing is left to do.
func (r *redrive) lease(ctx context.Context) (ended bool, err error) {
	err = r.store.inTx(ctx, func(tx pgx.Tx) error {
		h, err := loadHead(ctx, tx, r.id)
		if err != nil {
			return err
		}
		if _, err := r.restore(h); err != nil {
			return err
		}
		if ended = hasEnded(h.State); ended {
			return nil
		}
		if h.Leased {
			return &RunningError{ID: r.id, Until: h.LeasedUntil}
		}
		args := named.Args{"redrive_id": r.id, "owner": r.owner, "lease": r.store.cfg.LeaseTTL}
		_, err = tx.Exec(ctx, statement("lease_redrive"), args)
		return err
	})
	return ended, err
}

func (r *redrive) abandon(ctx context.Context, reason string) (err error) {
	if r.queue, err = r.store.loadQueue(ctx, r.id, r.receipt.Settings); err != nil {
		return err
	}
	if _, err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.checkUntaken(ctx); err != nil {
		return err
	}
	return r.store.inTx(ctx, func(tx pgx.Tx) error { return r.recordAbandoned(ctx, tx, reason) })
}

// checkUntaken refuses what is being tried: it may have its effect any moment.
func (r *redrive) checkUntaken(ctx context.Context) error {
	waiting := r.queue.waiting()
	if len(waiting) == 0 {
		return nil
	}
	standings, err := r.standings(ctx, waiting)
	if err != nil {
		return err
	}
	for n, i := range waiting {
		if standings[n].State == Redriven {
			return fmt.Errorf("abandon it: the group of %s tries it just now; resume the redrive to wait for its outcome", i.letterID)
		}
	}
	return nil
}

func (r *redrive) recordAbandoned(ctx context.Context, tx pgx.Tx, reason string) error {
	now := r.store.cfg.Now().UTC()
	if err := r.renew(ctx, tx); err != nil {
		return err
	}
	var ids []string
	for _, i := range r.queue.waiting() {
		ids = append(ids, i.letterID)
	}
	if err := r.moveLetters(ctx, tx, ids, Open, Abandoned); err != nil {
		return err
	}
	args := named.Args{"redrive_id": r.id, "detail": "the redrive was abandoned", "now": now}
	if _, err := tx.Exec(ctx, statement("abandon_items"), args); err != nil {
		return err
	}
	return r.close(ctx, tx, Abandoned, reason, now)
}
