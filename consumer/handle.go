package consumer

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/inbox"
)

// sortByTenant brings the events of a tenant together, each tenant's in the
// order decided. Between tenants no order is promised; a tombstone has none and
// stays where it is between the events of its key.
func (r *run) sortByTenant() {
	for rest := r.applied; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(it *item) bool { return it.event.Tombstone })
		if n < 0 {
			n = len(rest)
		}
		groupByTenant(rest[:n])
		rest = rest[min(n+1, len(rest)):]
	}
}

func groupByTenant(items []*item) {
	rank := make(map[string]int)
	for _, it := range items {
		if _, ok := rank[it.event.Aggregate.TenantID]; !ok {
			rank[it.event.Aggregate.TenantID] = len(rank)
		}
	}
	if len(rank) < 2 {
		return
	}
	slices.SortStableFunc(items, func(a, b *item) int {
		return rank[a.event.Aggregate.TenantID] - rank[b.event.Aggregate.TenantID]
	})
}

// handle calls the handlers of events.
func (r *run) handle(ctx context.Context, tx pgx.Tx, items []*item) error {
	for len(items) > 0 {
		if err := r.setTenant(ctx, tx, items[0].event.Aggregate.TenantID); err != nil {
			return err
		}
		n, err := r.bulkRun(items), error(nil)
		if n > 0 {
			err = r.handleBulk(ctx, tx, items[:n])
		} else {
			n, err = 1, r.handleOne(ctx, tx, items[0])
		}
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// setTenant asks the database only when the tenant changes: the first one was
// set with the batch before.
func (r *run) setTenant(ctx context.Context, tx pgx.Tx, tenant string) error {
	if tenant == r.tenant {
		return nil
	}
	r.tenant = tenant
	return r.forceTenant(ctx, tx, tenant)
}

func (r *run) forceTenant(ctx context.Context, tx pgx.Tx, tenant string) error {
	if _, err := tx.Exec(ctx, statement("set_tenant"), tenant); err != nil {
		return fmt.Errorf("consumer: set tenant: %w", err)
	}
	return nil
}

// bulkRun is how many of the first events go to the bulk handler in one call.
func (r *run) bulkRun(items []*item) (n int) {
	tenant := items[0].event.Aggregate.TenantID
	for _, it := range items {
		if !r.topic.bulk[it.msg.EventType] || it.event.Aggregate.TenantID != tenant {
			return n
		}
		n++
	}
	return n
}

func (r *run) handleOne(ctx context.Context, tx pgx.Tx, it *item) error {
	handler := r.topic.Handlers[it.msg.EventType]
	if handler == nil { // a tombstone that nobody handles
		return nil
	}
	cause := it.msg.Cause()
	ctx, end := r.r.span(ctx, &cause, it)
	err := guarded(func() error { return handler(envelope.WithCause(ctx, cause), tx, it.msg) })
	end(err)
	if IsRejected(err) {
		r.reject(it, err)
		return nil
	}
	return err
}

func (r *run) handleBulk(ctx context.Context, tx pgx.Tx, items []*item) error {
	messages := make([]Message, len(items))
	for i, it := range items {
		messages[i] = it.msg
	}
	cause := envelope.Cause{TenantID: messages[0].TenantID}
	if len(items) == 1 {
		cause = messages[0].Cause()
	}
	ctx, end := r.r.span(ctx, &cause, items...)
	err := guarded(func() error { return r.topic.Bulk(envelope.WithCause(ctx, cause), tx, messages) })
	end(err)
	if IsRejected(err) && len(items) == 1 {
		r.reject(items[0], err)
		return nil
	}
	if err != nil && len(items) > 1 {
		return fmt.Errorf("bulk handler, one of %d events: %w", len(items), err)
	}
	return err
}

func (r *run) reject(it *item, reason error) {
	r.rejected = append(r.rejected, rejection{it, reason})
}

func (r *run) markRejected(ctx context.Context, tx pgx.Tx) error {
	if len(r.rejected) == 0 {
		return nil
	}
	ids := make([]string, len(r.rejected))
	for i, rejected := range r.rejected {
		ids[i] = rejected.item.event.EventID
	}
	return inbox.MarkRejected(ctx, tx, r.scope.Consumer, ids)
}
