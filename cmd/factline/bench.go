package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/internal/benchmark"
)

// benchFlags are the flags of the verbs that measure.
type benchFlags struct {
	cfg       benchmark.Config
	realKafka bool
	markdown  bool
	quiet     bool
	// cpuProfile is the file that the profile goes to, empty for none.
	cpuProfile string
}

const childOfBench = "child"

func newBench(a *app) *cobra.Command {
	f := &benchFlags{}
	child := &cobra.Command{
		Use: childOfBench, Short: "The process whose memory is measured", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return benchmark.RunChild(cmd.Context(), os.Stdin, os.Stdout)
		},
	}
	group := newGroup("bench", "Measure what the relay, the consumer and an append cost",
		f.verb(a, "relay", "How fast a backlog drains to the log, beside a textbook relay and SKIP LOCKED", "relay"),
		f.verb(a, "consumer", "How fast a projection takes a topic in, beside a textbook consumer", "consumer"),
		f.verb(a, "latency", "How long from insert to effect at a steady rate", "latency"),
		f.verb(a, "append", "What an append costs a business transaction, beside a plain insert", "append"),
		f.verb(a, "contract", "What decoding and validating an event costs", "contract"),
		f.verb(a, "growth", "Drain and latency with millions of published rows and a held snapshot, beside an empty outbox", "growth"),
		f.verb(a, "failure", "How fast failed events are retried and dead letters redriven", "failure"),
		f.verb(a, "isolation", "What an event that fails through its whole retry chain costs the other keys", "isolation"),
		f.verb(a, "memory", "Largest memory of relay and consumer, with a backlog ten times as large and a broker that is away", "memory"),
		f.verb(a, "start", "How long \"factline up\" takes to its first completed order", "start"),
		f.verb(a, "all", "All of them, one after the other", benchmark.Names()...),
		newBenchRender(a), child,
	)
	group.Long = `Measure what the relay, the consumer and an append cost, beside simpler ways to do
the same: on the same servers, in turns, with the same events. Whatever a subject
did is checked; a wrong log or table is an error. Without URLs it starts an embedded
PostgreSQL, with fsync on, and the embedded broker. One broker shows no
replication. With --json every subject is one line.`
	group.Example = `  factline bench relay
  factline bench all --real-kafka --json > results.jsonl
  factline bench render results.jsonl docs/benchmarks.md`
	return group
}

func (f *benchFlags) verb(a *app, use, short string, names ...string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), a, names) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cfg.Kafka, "kafka", "", "host:port[,host:port] of a Kafka cluster (default the embedded broker)")
	flags.BoolVar(&f.realKafka, "real-kafka", false, "start an Apache Kafka; needs Java, and Maven for the first time")
	flags.StringVar(&f.cfg.Postgres, "postgres", "", "URL of a role with CREATEDB (default an embedded server)")
	flags.IntVar(&f.cfg.Events, "events", 0, "events a run of the fastest subjects, of which slower ones get a share (default 300000)")
	if len(names) == 1 { // several benchmarks have no subject in common
		flags.StringSliceVar(&f.cfg.Only, "only", nil, "subjects to measure (default all); a ratio needs both of its sides")
	}
	flags.IntVar(&f.cfg.Runs, "runs", 0, "runs that count (default 3)")
	flags.IntVar(&f.cfg.WarmupEvents, "warmup", 0, "events of a first round that does not count, -1 for none (default a quarter of --events)")
	if slices.Contains(names, "growth") {
		flags.IntSliceVar(&f.cfg.PublishedRows, "published", nil, "published rows of the outboxes beside the empty one (default 1000000,5000000)")
		flags.IntVar(&f.cfg.SnapshotSeconds, "snapshot-seconds", 0, "how long a session has held its snapshot when that outbox is measured (default 10)")
	}
	flags.StringVar(&f.cpuProfile, "cpu-profile", "", "file for a processor profile of this process")
	flags.BoolVar(&f.markdown, "markdown", false, "print the tables of docs/benchmarks.md")
	flags.BoolVar(&f.quiet, "quiet", false, "do not tell on stderr what is being measured")
	cmd.MarkFlagsMutuallyExclusive("kafka", "real-kafka")
	environment(flags, "kafka", "FACTLINE_KAFKA")
	environment(flags, "postgres", "FACTLINE_POSTGRES")
	return cmd
}

func (f *benchFlags) run(ctx context.Context, a *app, names []string) (err error) {
	a.secrets.LearnURL(f.cfg.Postgres)
	cfg := f.cfg
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("benchmark: find this program, to measure its memory as a process of its own: %w", err)
	}
	cfg.Child, cfg.Up = []string{binary, "bench", childOfBench}, []string{binary, "up"}
	if f.realKafka {
		cfg.Kafka = benchmark.RealKafka
	}
	if !f.quiet {
		cfg.Logger = slog.New(slog.NewTextHandler(a.err, nil))
	}
	b, err := benchmark.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(ctx)) }()
	stop, err := f.profile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return f.measure(ctx, a, b, names)
}

// profile starts the processor profile that was asked for.
func (f *benchFlags) profile() (stop func() error, err error) {
	if f.cpuProfile == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(f.cpuProfile)
	if err != nil {
		return nil, fmt.Errorf("benchmark: create the processor profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("benchmark: start the processor profile: %w", err), file.Close())
	}
	return func() error { pprof.StopCPUProfile(); return file.Close() }, nil
}

// measure writes JSON as it comes, so that a later failure loses nothing.
func (f *benchFlags) measure(ctx context.Context, a *app, b *benchmark.Bench, names []string) error {
	var all []benchmark.Result
	for _, name := range names {
		results, err := b.Run(ctx, name)
		if err != nil {
			return err
		}
		if a.json {
			if err := benchmark.WriteJSON(a.out, results); err != nil {
				return err
			}
		}
		all = append(all, results...)
	}
	switch {
	case a.json:
		return nil
	case f.markdown:
		_, err := io.WriteString(a.out, benchmark.Markdown(all))
		return err
	}
	return benchmark.WriteText(a.out, all)
}

func newBenchRender(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "render RESULTS [DOCUMENT]",
		Short: "Write the tables of saved results, into a document where one is given",
		Long: fmt.Sprintf(`Write the tables of what "bench --json" printed. With a document, what stands
between %s and %s in it is replaced.`, benchmark.BeginMarker, benchmark.EndMarker),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usagef("%q wants RESULTS and perhaps DOCUMENT (%d arguments given)", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.renderBench(args[0], args[1:]) },
	}
}

func (a *app) renderBench(saved string, document []string) error {
	file, err := os.Open(saved)
	if err != nil {
		return failed(fmt.Errorf("benchmark: open the results: %w", err), "bench all --json > "+saved)
	}
	defer func() { _ = file.Close() }()
	results, err := benchmark.ReadJSON(file)
	if err != nil {
		return err
	}
	if len(document) == 1 {
		return benchmark.RenderFile(document[0], results)
	}
	_, err = io.WriteString(a.out, benchmark.Markdown(results))
	return err
}
