package benchmark

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

const skipLockedBatch = 500

// skipLocked is the usual batch outbox: lock a batch past what others hold,
// send it, wait, mark it by one UPDATE, commit.
func (b *Bench) skipLocked(name string, workers int) func(context.Context, int) ([]measure, error) {
	about := fmt.Sprintf("%d × SELECT … FOR UPDATE SKIP LOCKED LIMIT %d, send all, wait, UPDATE the batch, commit", workers, skipLockedBatch)
	return func(ctx context.Context, events int) ([]measure, error) {
		s, err := b.newSite(ctx)
		if err != nil {
			return nil, err
		}
		defer s.close()
		w := newWorkload(max(events/skipLockedShare, skipLockedBatch))
		if err := s.fill(ctx, w, "skip_locked_outbox"); err != nil {
			return nil, err
		}
		watch := startWatch()
		took, err := s.skipLockedWorkers(ctx, workers)
		if err != nil {
			return nil, err
		}
		m := watch.rate(name, about, w.len(), took)
		return []measure{m}, s.checkLog(ctx, w, workers == 1, &m)
	}
}

func (s *site) skipLockedWorkers(ctx context.Context, workers int) (time.Duration, error) {
	started := time.Now()
	ends := make([]time.Time, workers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		group.Go(func() error {
			client, err := newProducer(s.addrs, kgo.ManualFlushing(), kgo.MaxBufferedRecords(2*skipLockedBatch))
			if err != nil {
				return err
			}
			defer client.Close()
			ends[i], err = s.skipLockedWorker(ctx, client)
			return err
		})
	}
	err := group.Wait()
	last := started
	for _, end := range ends {
		if end.After(last) {
			last = end
		}
	}
	return last.Sub(started), err
}

func (s *site) skipLockedWorker(ctx context.Context, client *kgo.Client) (last time.Time, err error) {
	for {
		n := 0
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			n, err = skipLockedRound(ctx, tx, client)
			return err
		})
		if err != nil || n == 0 {
			return last, err
		}
		last = time.Now()
	}
}

func skipLockedRound(ctx context.Context, tx pgx.Tx, client *kgo.Client) (int, error) {
	rows, err := tx.Query(ctx, statement("skip_locked_claim"), skipLockedBatch)
	if err != nil {
		return 0, err
	}
	batch, err := pgx.CollectRows(rows, pgx.RowToStructByPos[theirRow])
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	if err := produceAll(ctx, client, batch); err != nil {
		return 0, err
	}
	ids := make([]int64, len(batch))
	for i, row := range batch {
		ids[i] = row.ID
	}
	_, err = tx.Exec(ctx, statement("skip_locked_mark"), ids)
	return len(batch), err
}

func produceAll(ctx context.Context, client *kgo.Client, batch []theirRow) error {
	errs := make([]error, len(batch))
	for i, row := range batch {
		r, err := row.record()
		if err != nil {
			return err
		}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) { errs[i] = err })
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
