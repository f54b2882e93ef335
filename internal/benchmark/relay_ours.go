package benchmark

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/outbox"
)

func (b *Bench) relayOurs(ctx context.Context, events int) ([]measure, error) {
	s, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	w, err := s.backlog(ctx, events)
	if err != nil {
		return nil, fmt.Errorf("append the backlog: %w", err)
	}
	m, err := s.drain(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := s.checkLog(ctx, w, true, &m); err != nil {
		return nil, err
	}
	read, err := s.rawRead(ctx, events)
	return []measure{m, read}, err
}

func (s *site) backlog(ctx context.Context, events int) (*workload, error) {
	w := newWorkload(events)
	ob, err := outbox.New(outbox.Config{Contracts: routes{s.topic}, Producer: producer})
	if err != nil {
		return nil, err
	}
	if err := w.appendAll(ctx, s.pool, ob); err != nil {
		return nil, err
	}
	return w, nil
}

// drain runs a relay until every row has its receipt. The clock runs from the
// relay's start to the last receipt, by the database.
func (s *site) drain(ctx context.Context, w *workload) (measure, error) {
	targets, err := s.targets(ctx)
	if err != nil {
		return measure{}, err
	}
	r, err := outbox.NewRelay(outbox.RelayConfig{Pool: s.pool, Brokers: s.addrs, Instance: "bench"})
	if err != nil {
		return measure{}, err
	}
	var started, ended time.Time
	watch := startWatch()
	if err := s.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&started); err != nil {
		return measure{}, err
	}
	err = WhileRunning(ctx, r.Run, func(ctx context.Context) error { return awaitDrained(ctx, s.pool, targets) })
	if err != nil {
		return measure{}, err
	}
	if err := s.pool.QueryRow(ctx, "SELECT max(published_at) FROM factline.outbox_receipt").Scan(&ended); err != nil {
		return measure{}, err
	}
	return watch.rate("ours", "outbox.Relay drains a backlog; from its start to the last receipt; order per aggregate checked",
		w.len(), ended.Sub(started)), nil
}

func (s *site) targets(ctx context.Context) (map[int16]int64, error) {
	return laneNumbers(ctx, s.pool, statement("last_positions"))
}

func laneNumbers(ctx context.Context, pool *pgxpool.Pool, query string) (map[int16]int64, error) {
	rows, err := pool.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int16]int64{}
	for rows.Next() {
		var lane int16
		var position int64
		if err := rows.Scan(&lane, &position); err != nil {
			return nil, err
		}
		found[lane] = position
	}
	return found, rows.Err()
}

func awaitDrained(ctx context.Context, pool *pgxpool.Pool, targets map[int16]int64) error {
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		at, err := laneNumbers(ctx, pool, "SELECT lane, low_water FROM factline.outbox_lane")
		if err != nil {
			return false, err
		}
		for lane, target := range targets {
			if at[lane] < target {
				return false, nil
			}
		}
		return true, nil
	})
}

// poll looks until done says so.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// WhileRunning does something while run runs, and ends run afterwards. It fails
// when run ends early. A peer's measurement uses it as ours do.
func WhileRunning(ctx context.Context, run, do func(context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	doing, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ended := make(chan error, 1)
	go func() {
		err := run(running)
		if running.Err() == nil {
			giveUp()
			err = errors.Join(errors.New("it ended by itself"), err)
		}
		ended <- err
	}()
	err := do(doing)
	stop()
	return errors.Join(<-ended, err)
}

// awaitTrue looks until the database says so.
func awaitTrue(ctx context.Context, pool *pgxpool.Pool, query string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %v this is still not true: %s %v", patience, query, args))
	defer cancel()
	err := poll(ctx, 50*time.Millisecond, func() (is bool, err error) {
		err = pool.QueryRow(ctx, query, args...).Scan(&is)
		return is, err
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
