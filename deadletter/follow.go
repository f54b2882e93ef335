package deadletter

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// follow lets letters have the state of their groups' databases where those
// settled them without the store, and returns those in the state asked for.
func (s *Store) follow(ctx context.Context, letters []Letter, state string) ([]Letter, error) {
	references := make([]Reference, len(letters))
	for i, l := range letters {
		references[i] = Reference{l.Record.ConsumerGroup, l.Record.SourceTopic, l.Record.SourcePartition, l.Record.SourceOffset}
	}
	standings, err := s.cfg.Outcomes.Look(ctx, references)
	if err != nil {
		return nil, err
	}
	settled := map[string][]string{}
	for i := range letters {
		// A redrive under way learns of its letters by itself.
		if now := standings[i].State; isSettled(now) && letters[i].State == Open {
			settled[now] = append(settled[now], letters[i].ID)
			letters[i].State = now
		}
	}
	if len(settled) == 0 {
		return letters, nil
	}
	if err := s.inTx(ctx, func(tx pgx.Tx) error { return s.moveSettled(ctx, tx, settled) }); err != nil {
		return nil, fmt.Errorf("deadletter: follow what was settled: %w", err)
	}
	return slices.DeleteFunc(letters, func(l Letter) bool { return state != "" && l.State != state }), nil
}

func isSettled(state string) bool {
	return state == Skipped || state == Applied || state == Superseded || state == Corrected
}

// moveSettled writes down ids by their new state.
func (s *Store) moveSettled(ctx context.Context, tx pgx.Tx, settled map[string][]string) error {
	for state, ids := range settled {
		args := named.Args{"letter_ids": ids, "state": state, "kind": state, "redrive_id": "", "now": s.cfg.Now()}
		if _, err := tx.Exec(ctx, statement("move_letters"), args); err != nil {
			return err
		}
	}
	return nil
}
