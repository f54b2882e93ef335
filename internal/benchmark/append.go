package benchmark

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
)

const (
	appendShare  = 30 // of Events
	appendSlices = 8
	rawCopyShare = 3 // of Events
	busy         = 8
)

// appendSubjects are one subject: the kinds of transaction take turns within it
// in short slices, because their difference is smaller than a machine's moods.
func (b *Bench) appendSubjects() []subject {
	return []subject{
		{"one connection", func(ctx context.Context, events int) ([]measure, error) { return b.appendSlices(ctx, events, 1) }},
		{"busy", func(ctx context.Context, events int) ([]measure, error) { return b.appendSlices(ctx, events, busy) }},
		{"raw_copy", b.rawCopy},
	}
}

// appendRatios are costs: how many plain transactions fit into one with Append.
func appendRatios(run map[string]float64) []measure {
	var all []measure
	for _, writers := range []int{1, busy} {
		plain := fmt.Sprintf("plain_insert_%d", writers)
		all = append(all, ratio(run, plain, fmt.Sprintf("ours_%d", writers))...)
		all = append(all, ratio(run, plain, fmt.Sprintf("ours_validated_%d", writers))...)
	}
	return all
}

// kind is one form of the business transaction.
type kind struct {
	name, about string
	store       func(ctx context.Context, tx pgx.Tx, i int) error
	took        time.Duration
	done        int
}

func (b *Bench) appendSlices(ctx context.Context, events, writers int) ([]measure, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w := newWorkload(max(events/appendShare, appendSlices*writers))
	kinds, err := s.kinds(w)
	if err != nil {
		return nil, err
	}
	size := w.len() / appendSlices
	for slice := range appendSlices {
		for at := range kinds {
			k := kinds[(at+slice)%len(kinds)]
			if err := s.appendSlice(ctx, w, k, slice*size, size, writers); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	var all []measure
	for _, k := range kinds {
		all = append(all, measure{
			subject: fmt.Sprintf("%s_%d", k.name, writers), unit: "tx/s", value: float64(k.done) / k.took.Seconds(), events: k.done,
			about: fmt.Sprintf("%s, %d connections in a closed loop", k.about, writers),
		})
	}
	return all, s.checkAppended(ctx, kinds)
}

func (s *site) kinds(w *workload) ([]*kind, error) {
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		return nil, err
	}
	loose, err := outbox.New(outbox.Config{Contracts: routes{s.topic}, Producer: producer})
	if err != nil {
		return nil, err
	}
	strict, err := outbox.New(outbox.Config{Contracts: catalogue, Producer: producer})
	if err != nil {
		return nil, err
	}
	ready, err := w.encoded(false)
	if err != nil {
		return nil, err
	}
	facts := w.facts()
	appendTo := func(ob *outbox.Outbox) func(context.Context, pgx.Tx, int) error {
		return func(ctx context.Context, tx pgx.Tx, i int) error {
			return ob.Append(envelope.WithCause(ctx, facts[i].cause), tx, facts[i].event)
		}
	}
	return []*kind{
		{name: "plain_insert", about: "UPDATE of one row and a plain INSERT of a row as large, encoded beforehand", store: func(ctx context.Context, tx pgx.Tx, i int) error {
			r := ready[i]
			_, err := tx.Exec(ctx, statement("plain_insert"), r.id, eventType, tenant, "Order", r.order, r.version, s.topic, r.key, r.headers, r.value)
			return err
		}},
		{name: "ours", about: "UPDATE of one row and Outbox.Append of one event", store: appendTo(loose)},
		{name: "ours_validated", about: "as ours, the event validated against its contract", store: appendTo(strict)},
	}, nil
}

// fact is what a business transaction has in hand before it appends.
type fact struct {
	cause envelope.Cause
	event outbox.Event
}

// facts are made beforehand: dicing their contents is no part of an append.
func (w *workload) facts() []fact {
	all := make([]fact, w.len())
	for i := range all {
		all[i] = fact{w.cause(i), w.event(i)}
		all[i].event.ID = "" // both outboxes append it
	}
	return all
}

func (s *site) appendSlice(ctx context.Context, w *workload, k *kind, from, size, writers int) error {
	started := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for writer := range writers {
		group.Go(func() error {
			for i := from + writer; i < from+size; i += writers {
				err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
					if _, err := tx.Exec(ctx, statement("business"), w.orders[i], "changed"); err != nil {
						return err
					}
					return k.store(ctx, tx, i)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	k.took += time.Since(started)
	k.done += size
	return err
}

// checkAppended counts: whoever stored nothing was fast for nothing.
func (s *site) checkAppended(ctx context.Context, kinds []*kind) error {
	var plain, ours, versions int
	err := s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM bench.plain_event), (SELECT count(*) FROM factline.outbox_event),
		(SELECT sum(version) FROM factline.outbox_stream)`).Scan(&plain, &ours, &versions)
	if err != nil {
		return err
	}
	want := kinds[0].done
	if plain != want || ours != 2*want || versions != 2*want {
		return fmt.Errorf("%d plain rows, %d events and %d versions are stored, want %d, %d and %d", plain, ours, versions, want, 2*want, 2*want)
	}
	return nil
}

// rawCopy brings rows of the same size in as fast as PostgreSQL takes them.
func (b *Bench) rawCopy(ctx context.Context, events int) ([]measure, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ready, err := newWorkload(max(events/rawCopyShare, 1)).encoded(false)
	if err != nil {
		return nil, err
	}
	columns := []string{"event_id", "event_type", "tenant_id", "aggregate_type", "aggregate_id", "aggregate_version", "topic", "record_key", "headers", "value"}
	watch := startWatch()
	n, err := s.pool.CopyFrom(ctx, pgx.Identifier{"bench", "plain_event"}, columns, pgx.CopyFromSlice(len(ready), func(i int) ([]any, error) {
		r := ready[i]
		return []any{r.id, eventType, tenant, "Order", r.order, r.version, s.topic, r.key, r.headers, r.value}, nil
	}))
	if err == nil && int(n) != len(ready) {
		err = fmt.Errorf("%d rows were copied, want %d", n, len(ready))
	}
	return []measure{watch.rate("raw_copy", "COPY of such rows into a table without any promise, in one transaction", len(ready), watch.elapsed())}, err
}
