// Command bench measures factline beside well-known libraries that do the same
// work, on the same PostgreSQL and the same Apache Kafka, in turns:
//
//	cd bench && go run . [relay|consumer] [--json]
//
// It is a module of its own, so that none of them becomes a dependency of
// factline. README.md says what is measured, and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"factline.dev/bench/debezium"
	"factline.dev/bench/spring"
	"factline.dev/bench/watermill"
	"factline.dev/internal/benchmark"
)

const usage = `usage: go run . [FLAG...] [relay|consumer]...
       go run . render RESULTS DOCUMENT`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ours are the subjects of factline's own benchmarks that stand beside the
// peers: ours, and the simpler way that comes closest.
func ours(name string) []string {
	if name == "consumer" {
		return []string{"ours", "ours_single"}
	}
	return []string{"ours", "skip_locked"}
}

type options struct {
	cfg        benchmark.Config
	json       bool
	only       string
	benchmarks []string
}

func parse(args []string, out io.Writer) (options, error) {
	o := options{cfg: benchmark.Config{Kafka: benchmark.RealKafka}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprintln(out, usage); flags.PrintDefaults() }
	flags.BoolVar(&o.json, "json", false, "one JSON object a subject")
	flags.StringVar(&o.only, "only", "", "subjects to measure, separated by commas (default all)")
	flags.IntVar(&o.cfg.Events, "events", 0, "events a run of the fastest subjects, of which slower ones get a share (default 300000)")
	flags.IntVar(&o.cfg.Runs, "runs", 0, "runs that count (default 3)")
	flags.IntVar(&o.cfg.WarmupEvents, "warmup", 0, "events of a first round that does not count, -1 for none (default a quarter of --events)")
	// Flags may also stand behind the names.
	for rest := args; ; {
		if err := flags.Parse(rest); err != nil {
			return o, err
		}
		if flags.NArg() == 0 {
			break
		}
		o.benchmarks = append(o.benchmarks, flags.Arg(0))
		rest = flags.Args()[1:]
	}
	if len(o.benchmarks) == 0 {
		o.benchmarks = []string{"relay", "consumer"}
	}
	for _, name := range o.benchmarks {
		if name != "relay" && name != "consumer" {
			return o, fmt.Errorf("bench: there is no benchmark %q; use relay or consumer", name)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) > 0 && args[0] == "render" {
		return render(args[1:])
	}
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	o.cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	// Debezium reads the write-ahead log as logical changes; all subjects write it.
	o.cfg.PostgresSettings = map[string]string{"wal_level": "logical"}
	o.cfg.Peers = slices.Concat(watermill.Peers(), debezium.Peers(), spring.Peers())
	for _, name := range o.benchmarks {
		results, err := measure(ctx, o, name)
		if err != nil {
			return err
		}
		if err := write(out, o.json, results); err != nil {
			return err
		}
	}
	return nil
}

// measure opens servers for one benchmark: subjects are chosen for both at once.
func measure(ctx context.Context, o options, name string) (results []benchmark.Result, err error) {
	cfg := o.cfg
	cfg.Only = ours(name)
	for _, p := range cfg.Peers {
		if p.Benchmark == name {
			cfg.Only = append(cfg.Only, p.Name)
		}
	}
	if o.only != "" {
		cfg.Only = strings.Split(o.only, ",")
	}
	b, err := benchmark.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close(ctx)) }()
	return b.Run(ctx, name)
}

func write(out io.Writer, asJSON bool, results []benchmark.Result) error {
	if asJSON {
		return benchmark.WriteJSON(out, results)
	}
	return benchmark.WriteText(out, results)
}
