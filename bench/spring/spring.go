// Package spring is the consumer of Spring Kafka: a listener container, and an
// inbox and the effect in one transaction of Spring's JDBC.
package spring

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"factline.dev/bench/jvm"
	"factline.dev/internal/benchmark"
)

//go:embed project
var project embed.FS

//go:embed inbox.sql
var createInbox string

// Peers are the settings that are measured.
func Peers() []benchmark.Peer {
	return []benchmark.Peer{
		setup{batch: true, concurrency: 1, maxPoll: 500}.peer("spring_batch", 1,
			"Spring Kafka, batch listener with its defaults (500 records a poll, one thread), inbox and effect each one statement a batch"),
		setup{batch: true, concurrency: 4, maxPoll: 2000}.peer("spring_batch_tuned", 1,
			"Spring Kafka, batch listener with 2,000 records a poll and concurrency 4, inbox and effect each one statement a batch"),
		setup{concurrency: 1, maxPoll: 500}.peer("spring_record", 20,
			"Spring Kafka, record listener with its defaults, a transaction a record"),
		setup{concurrency: 12, maxPoll: 500}.peer("spring_record_12", 6,
			"Spring Kafka, record listener with concurrency 12, a thread a partition, a transaction a record"),
	}
}

type setup struct {
	batch                bool
	concurrency, maxPoll int
}

func (c setup) peer(name string, share int, about string) benchmark.Peer {
	return benchmark.Peer{
		Benchmark: "consumer", Name: name, Share: share,
		About: about + "; warm, no gate, no validation", Run: c.run,
	}
}

func (c setup) run(ctx context.Context, s *benchmark.Site) (took time.Duration, err error) {
	source, err := fs.Sub(project, "project")
	if err != nil {
		return 0, err
	}
	jars, err := jvm.Build(ctx, "spring", source)
	if err != nil {
		return 0, err
	}
	if _, err := s.Pool.Exec(ctx, createInbox); err != nil {
		return 0, fmt.Errorf("create the inbox: %w", err)
	}
	// Files, for a program that has ended ends what reads and writes them.
	stdin, orders, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	answers, stdout, err := os.Pipe()
	if err != nil {
		return 0, errors.Join(err, stdin.Close(), orders.Close())
	}
	defer func() { err = errors.Join(err, orders.Close(), answers.Close()) }()
	program, err := c.program(s, jars, stdin, stdout)
	if err != nil {
		return 0, err
	}
	run := func(ctx context.Context) error {
		defer func() { _, _ = stdin.Close(), stdout.Close() }()
		return program.Run(ctx)
	}
	err = benchmark.WhileRunning(ctx, run, func(ctx context.Context) (err error) {
		took, err = measure(ctx, s, orders, bufio.NewReader(answers))
		return err
	})
	return took, err
}

func (c setup) program(s *benchmark.Site, jars string, stdin, stdout *os.File) (jvm.Program, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return jvm.Program{}, fmt.Errorf("bench: read the database's URL: %w", err)
	}
	mode := "record"
	if c.batch {
		mode = "batch"
	}
	password, _ := u.User.Password()
	return jvm.Program{
		Jars: jars, Main: "dev.factline.bench.Main",
		Flags: []string{"-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"},
		Args:  []string{strings.Join(s.Brokers, ","), mode, strconv.Itoa(c.concurrency), strconv.Itoa(c.maxPoll)},
		Env: []string{
			"BENCH_JDBC_URL=jdbc:postgresql://" + u.Host + u.Path,
			"BENCH_JDBC_USER=" + u.User.Username(), "BENCH_JDBC_PASSWORD=" + password,
		},
		Stdin: stdin, Stdout: stdout,
	}, nil
}

// measure has the program take the topic twice, with empty tables each: the
// first time the virtual machine compiles what the second time is measured.
func measure(ctx context.Context, s *benchmark.Site, orders io.Writer, answers *bufio.Reader) (took time.Duration, err error) {
	for _, group := range []string{"warmup", "measured"} {
		if _, err := s.Pool.Exec(ctx, "TRUNCATE spring_inbox, bench.order_summary"); err != nil {
			return 0, fmt.Errorf("empty the tables: %w", err)
		}
		group += "." + s.Topic
		started := time.Now()
		if _, err := fmt.Fprintln(orders, "consume", s.Topic, group); err != nil {
			return 0, err
		}
		if err := s.AwaitCommitted(ctx, group, len(s.Events)); err != nil {
			return 0, err
		}
		took = time.Since(started)
		if err := stop(orders, answers); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func stop(orders io.Writer, answers *bufio.Reader) error {
	if _, err := fmt.Fprintln(orders, "stop"); err != nil {
		return err
	}
	line, err := answers.ReadString('\n')
	if err == nil && strings.TrimSpace(line) != "stopped" {
		err = fmt.Errorf("it answers %q", line)
	}
	return err
}
