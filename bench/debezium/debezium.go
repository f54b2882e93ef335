// Package debezium is the relay of Debezium: Kafka Connect with its connector
// for PostgreSQL and its outbox event router.
package debezium

import (
	"context"
	"embed"
	_ "embed" // outbox.sql
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/bench/jvm"
	"factline.dev/bench/running"
	"factline.dev/internal/benchmark"
)

//go:embed pom.xml
var project embed.FS

//go:embed outbox.sql
var createOutbox string

// Peers are the settings that are measured.
func Peers() []benchmark.Peer {
	return []benchmark.Peer{
		setup{}.peer("debezium", "Debezium's outbox event router in Kafka Connect, warm, all defaults"),
		setup{tuned: true}.peer("debezium_tuned", "Debezium's outbox event router in Kafka Connect, warm, with larger batches and queues, linger 5 ms, zstd, five requests in flight"),
	}
}

type setup struct{ tuned bool }

func (c setup) peer(name, about string) benchmark.Peer {
	return benchmark.Peer{Benchmark: "relay", Name: name, About: about, Share: 3, Run: c.run}
}

// warmup is how many of the events the virtual machine compiles itself with, in
// a topic that is not measured.
const warmup = 30_000

func (c setup) run(ctx context.Context, s *benchmark.Site) (took time.Duration, err error) {
	jars, err := jvm.Build(ctx, "debezium", project)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "factline-debezium-")
	if err != nil {
		return 0, fmt.Errorf("bench: make a folder for Kafka Connect: %w; set TMPDIR to a folder you can write", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := s.Pool.Exec(ctx, createOutbox); err != nil {
		return 0, fmt.Errorf("create the outbox: %w", err)
	}
	warmTopic := s.Topic + ".warmup"
	remove, err := s.NewTopic(ctx, warmTopic)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, remove(context.WithoutCancel(ctx))) }()
	defer func() { err = errors.Join(err, dropSlot(context.WithoutCancel(ctx), s)) }()
	w, err := c.newWorker(s, dir)
	if err != nil {
		return 0, err
	}
	err = benchmark.WhileRunning(ctx, w.program(jars).Run, func(ctx context.Context) error { return w.measure(ctx, s, warmTopic) })
	if err != nil {
		return 0, err
	}
	return s.LogSpan(ctx)
}

// measure has the worker warm itself up, stops the connector while the backlog
// is written, and lets it drain.
func (w *worker) measure(ctx context.Context, s *benchmark.Site, warmTopic string) error {
	if err := w.await(ctx, "RUNNING"); err != nil {
		return err
	}
	if err := awaitSlot(ctx, s, true); err != nil {
		return err
	}
	warm := s.Events[:min(warmup, len(s.Events))]
	if err := fill(ctx, s, warm, warmTopic, "warm-"); err != nil {
		return err
	}
	if err := s.AwaitLog(ctx, warmTopic, len(warm)); err != nil {
		return fmt.Errorf("wait for the warm-up: %w", err)
	}
	if err := w.put(ctx, "stop"); err != nil {
		return err
	}
	if err := errors.Join(w.await(ctx, "STOPPED"), awaitSlot(ctx, s, false)); err != nil {
		return err
	}
	if err := fill(ctx, s, s.Events, s.Topic, ""); err != nil {
		return err
	}
	if err := w.put(ctx, "resume"); err != nil {
		return err
	}
	return s.AwaitLog(ctx, s.Topic, len(s.Events))
}

// perTransaction is how many events a filling transaction appends, as ours does.
const perTransaction = 100

// fill names the topic as the aggregate's type, by which the router routes.
func fill(ctx context.Context, s *benchmark.Site, events []benchmark.Event, topic, prefix string) error {
	for from := 0; from < len(events); from += perTransaction {
		part := events[from:min(from+perTransaction, len(events))]
		_, err := s.Pool.CopyFrom(ctx, pgx.Identifier{"outbox"}, []string{"id", "aggregatetype", "aggregateid", "type", "payload"},
			pgx.CopyFromSlice(len(part), func(i int) ([]any, error) {
				e := part[i]
				return []any{prefix + e.ID, topic, e.Aggregate, e.Type, string(e.Value)}, nil
			}))
		if err != nil {
			return fmt.Errorf("fill the outbox: %w", err)
		}
	}
	return nil
}

const slotName = "factline_bench"

// awaitSlot waits until Debezium reads its replication slot, or does no longer.
func awaitSlot(ctx context.Context, s *benchmark.Site, active bool) error {
	return running.Poll(ctx, func() (bool, error) {
		var n int
		err := s.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND active = $2", slotName, active).Scan(&n)
		return n == 1, err
	})
}

// dropSlot lets the server forget the log that a slot without a reader keeps.
func dropSlot(ctx context.Context, s *benchmark.Site) error {
	return running.Poll(ctx, func() (bool, error) {
		_, err := s.Pool.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active", slotName)
		if err != nil {
			return false, fmt.Errorf("drop Debezium's replication slot: %w", err)
		}
		var left int
		err = s.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", slotName).Scan(&left)
		return left == 0, err
	})
}
