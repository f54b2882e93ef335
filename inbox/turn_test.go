package inbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/factlinetest"
	"factline.dev/inbox"
)

// Before, two transactions that shared their turn while another member took the
// partition both asked to have the turn alone, and PostgreSQL had to break the
// deadlock.
func TestTwoTransactionsThatLoseTheirPartitionDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	const consumer = "s.orders.consumer"
	at := inbox.Progress{Topic: "orders", Partition: 3, NextOffset: 7}
	if err := inbox.StartPartition(t.Context(), pool, consumer, time.Now(), at); err != nil {
		t.Fatal(err)
	}
	if _, err := inbox.TakePartitions(t.Context(), pool, consumer, "one", []inbox.Progress{at}); err != nil {
		t.Fatal(err)
	}
	taking, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taking.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := inbox.TakePartitions(t.Context(), taking, consumer, "two", []inbox.Progress{at}); err != nil {
		t.Fatal(err)
	}
	load := func(tx pgx.Tx) error {
		l, err := inbox.Load(t.Context(), tx, inbox.Scope{Consumer: consumer, Topic: "orders", Partitions: []int32{3}, Member: "one"}, nil, nil)
		if err == nil && l.Progress[3].NextOffset != 7 {
			err = errors.New("no progress loaded")
		}
		return err
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			err := pgx.BeginFunc(t.Context(), pool, load)
			if errors.Is(err, inbox.ErrPartitionTaken) {
				err = pgx.BeginFunc(t.Context(), pool, load)
			}
			ended <- err
		}()
	}
	factlinetest.Eventually(t, 10*time.Second, "both waiting for the row", func() (bool, error) {
		var waiting int
		err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		return waiting == 2, err
	})
	if err := taking.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("a transaction ended with %v, want both to have their turn", err)
		}
	}
}
