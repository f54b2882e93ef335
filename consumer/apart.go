package consumer

import (
	"context"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
)

// effectApart gives each event its effect within a savepoint of its own, so that one
// run finds all that fail: one by one would cost each a few transactions. Their
// transaction does not commit. The next one is decided with what is known then.
func (r *run) effectApart(ctx context.Context, tx pgx.Tx) error {
	behind := &behindFailed{ordered: r.scope.Mode == Ordered}
	for _, it := range r.applied {
		if behind.has(&it.event) {
			continue
		}
		if err := r.setTenant(ctx, tx, it.event.Aggregate.TenantID); err != nil {
			return err
		}
		failed, err := r.tryInSavepoint(ctx, tx, it)
		if failed {
			r.failed = append(r.failed, failure{it, err})
			behind.add(&it.event)
		}
		if err != nil && (!failed || tx.Conn().IsClosed()) {
			return err
		}
	}
	if len(r.failed) > 0 {
		return r.failed[0].err
	}
	return nil
}

// tryInSavepoint reports whether it was the event that failed. The transaction can go
// on then, unless its connection is closed.
func (r *run) tryInSavepoint(ctx context.Context, tx pgx.Tx, it *item) (failed bool, err error) {
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return false, err
	}
	err = r.effectOf(ctx, savepoint, []*item{it})
	if err == nil {
		return false, savepoint.Commit(ctx)
	}
	if err = blame(err, tx.Conn()); !isHandlers(err) {
		return false, err
	}
	if undo := savepoint.Rollback(ctx); undo != nil && !tx.Conn().IsClosed() {
		return false, undo
	}
	return true, err
}

// behindFailed are the events that wait for one that failed before them in a chunk
// of an ordered topic: those of its key, and of its aggregate.
type behindFailed struct {
	ordered    bool
	keys       map[inbox.Key]bool
	aggregates map[inbox.Aggregate]bool
}

func (b *behindFailed) add(e *inbox.Event) {
	if !b.ordered {
		return
	}
	if b.keys == nil {
		b.keys, b.aggregates = make(map[inbox.Key]bool), make(map[inbox.Aggregate]bool)
	}
	b.keys[e.Key()], b.aggregates[e.Aggregate] = true, true
}

func (b *behindFailed) has(e *inbox.Event) bool { return b.keys[e.Key()] || b.aggregates[e.Aggregate] }
