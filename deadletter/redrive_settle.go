package deadletter

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/internal/named"
)

type commandTag = pgconn.CommandTag

// settle asks for the outcomes of what was sent, and records those there are.
func (r *redrive) settle(ctx context.Context) (int, error) {
	waiting := r.queue.waiting()
	if len(waiting) == 0 {
		return 0, nil
	}
	outcomes, err := r.look(ctx, waiting)
	if err != nil || len(outcomes) == 0 {
		return 0, err
	}
	if err := r.store.inTx(ctx, func(tx pgx.Tx) error { return r.recordOutcomes(ctx, tx, outcomes) }); err != nil {
		return 0, err
	}
	for i, state := range outcomes {
		r.drop(i, state)
	}
	r.heard = time.Now()
	return len(outcomes), nil
}

// drop moves an item on in memory as recordOutcomes and forward do in the table.
func (r *redrive) drop(i *item, state string) {
	r.queue.move(i, state)
	if i.canary && !i.tells() {
		defer r.queue.replace(i)
	}
	if state == itemApplied || state == itemSkipped || state == itemSuperseded {
		r.queue.follow(i.lane)
		return
	}
	for len(r.queue.lanes[i.lane]) > 0 {
		r.queue.move(r.queue.lanes[i.lane][0], itemNotSent)
	}
}

func (r *redrive) look(ctx context.Context, waiting []*item) (map[*item]string, error) {
	standings, err := r.standings(ctx, waiting)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(waiting))
	for n, i := range waiting {
		ids[n] = i.letterID
	}
	back, err := r.reappeared(ctx, ids)
	if err != nil {
		return nil, err
	}
	outcomes := map[*item]string{}
	for n, i := range waiting {
		if state := i.outcome(r.id, standings[n], back[i.letterID]); state != "" {
			outcomes[i] = state
			i.corrected = standings[n].State == Corrected
		}
	}
	return outcomes, nil
}

// standings asks the groups' databases about items.
func (r *redrive) standings(ctx context.Context, items []*item) ([]Standing, error) {
	references := make([]Reference, len(items))
	for n, i := range items {
		references[n] = i.Reference
	}
	return r.store.cfg.Outcomes.Look(ctx, references)
}

// outcome is empty while there is none. A letter that is open has failed if its
// group took this redrive, also when it took another one since; else the record
// has not arrived yet, see [redrive.findLost]. Where the group's
// database says nothing, a new record on the dead-letter topic does.
func (i *item) outcome(redriveID string, s Standing, reappeared bool) string {
	switch {
	case s.Found && (s.State == Applied || s.State == Corrected):
		return itemApplied
	case s.Found && s.State == Superseded:
		return itemSuperseded
	case s.Found && s.State == Skipped:
		return itemSkipped
	case s.Found && s.State == Open && s.took(redriveID):
		return itemFailed
	case !s.Found && reappeared:
		return itemFailed
	}
	return ""
}

// reappeared are the letters that this redrive brought back to the dead-letter
// topic.
func (r *redrive) reappeared(ctx context.Context, ids []string) (map[string]bool, error) {
	rows, err := r.store.cfg.Pool.Query(ctx, statement("reappeared"), named.Args{"letter_ids": ids, "redrive_id": r.id})
	if err != nil {
		return nil, err
	}
	back := map[string]bool{}
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		back[id] = true
		return nil
	})
	return back, err
}

func (r *redrive) recordOutcomes(ctx context.Context, tx pgx.Tx, outcomes map[*item]string) error {
	if err := r.renew(ctx, tx); err != nil {
		return err
	}
	var moves moves
	ids := map[string][]string{}
	for i, state := range outcomes {
		moves.add(i, state, "")
		letter := state
		if i.corrected {
			letter = Corrected
		}
		ids[letter] = append(ids[letter], i.letterID)
		if state == itemFailed {
			moves.addBehind(r.queue.behind(i.lane), i)
		}
	}
	for _, to := range []struct{ outcome, letter, kind string }{
		{itemApplied, Applied, "APPLIED"},
		{Corrected, Corrected, "CORRECTED"},
		{itemSkipped, Skipped, "SKIPPED"},
		{itemSuperseded, Superseded, "SUPERSEDED"},
		{itemFailed, Open, "FAILED_AGAIN"},
	} {
		if err := r.moveLetters(ctx, tx, ids[to.outcome], to.letter, to.kind); err != nil {
			return err
		}
	}
	return r.moveItems(ctx, tx, moves)
}

func (r *redrive) moveLetters(ctx context.Context, tx pgx.Tx, ids []string, state, kind string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, statement("move_letters"), named.Args{
		"letter_ids": ids, "state": state, "kind": kind, "redrive_id": r.id, "now": r.store.cfg.Now(),
	})
	return err
}

// moves are new states of items.
type moves struct {
	seqs            []int32
	states, details []string
}

func (m *moves) add(i *item, state, detail string) {
	m.seqs = append(m.seqs, int32(i.seq)) //nolint:gosec // a plan has at most a million
	m.states, m.details = append(m.states, state), append(m.details, detail)
}

func (m *moves) addBehind(behind []*item, failed *item) {
	for _, i := range behind {
		m.add(i, itemNotSent, "it waits behind "+failed.letterID)
	}
}

func (r *redrive) moveItems(ctx context.Context, tx pgx.Tx, m moves) error {
	_, err := tx.Exec(ctx, statement("move_items"), named.Args{
		"redrive_id": r.id, "seqs": m.seqs, "states": m.states, "details": m.details, "now": r.store.cfg.Now(),
	})
	return err
}

// renew gives a sign of life, and refuses to go on after another run has taken
// the redrive over.
func (r *redrive) renew(ctx context.Context, db executor) error {
	tag, err := db.Exec(ctx, statement("renew_redrive"), named.Args{
		"redrive_id": r.id, "owner": r.owner, "lease": r.store.cfg.LeaseTTL,
	})
	if err == nil && tag.RowsAffected() == 0 {
		return errLeaseLost
	}
	return err
}
