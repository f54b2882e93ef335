package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/prove"
)

func newProveStorm(a *app) *cobra.Command {
	var cfg prove.StormConfig
	var kafka string
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Prove that cut connections lose, double and reorder nothing; 1 when they do",
		Long: `Prove that cut connections lose, double and reorder nothing. Writers, two relays
for each of two databases and three members of a consumer group reach database
and broker through TCP proxies that end every connection after 0.5 to 1.5 s, some
of them after throwing answers away; now and then one of them, or all, reaches a
server not at all for some seconds, or a relay's process is paused or killed. Then
the storm ends, everything must drain,
and what was committed, what stands on the log and what handlers did must be the
same, once each and in the order of each aggregate.

Ends with 1 when a step failed, or when a fault did not provably fire.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Kafka = addresses(kafka)
			return a.proveStorm(cmd.Context(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kafka, "kafka", "", "host:port[,host:port] of a Kafka cluster; topics of a new name are made and deleted (default an embedded broker)")
	flags.StringVar(&cfg.Postgres, "postgres", "", "URL of a PostgreSQL server; databases of a new name are made and dropped (default an embedded one)")
	flags.DurationVar(&cfg.For, "for", 5*time.Minute, "how long connections are cut")
	flags.DurationVar(&cfg.Drain, "drain", 30*time.Second, "how long everything may take to drain after that")
	flags.DurationVar(&cfg.MinLife, "min-life", 500*time.Millisecond, "how long a connection lives at least")
	flags.DurationVar(&cfg.MaxLife, "max-life", 1500*time.Millisecond, "how long a connection lives at most")
	flags.DurationVar(&cfg.Gap, "gap", time.Second, "pause between mishaps; negative has none")
	flags.Float64Var(&cfg.Rate, "rate", 100, "transactions a second that writers begin")
	flags.IntVar(&cfg.Aggregates, "aggregates", 500, "how many aggregates have events")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "NUMBER that decides workload, cuts and mishaps (default a random one, which is printed)")
	flags.StringVar(&cfg.HistoryFile, "history", "", "FILE to write everything recorded to, as JSON")
	flags.BoolVar(&cfg.Silence, "silence", false, "let connections go silent for good as well, while new ones pass")
	flags.BoolVar(&cfg.Keep, "keep", false, "leave folder, log, databases and topics for a look")
	environment(flags, "kafka", "FACTLINE_KAFKA")
	environment(flags, "postgres", "FACTLINE_POSTGRES")
	return cmd
}

// relayOfProof is the hidden command that the prover of a storm starts, pauses
// and kills.
const relayOfProof = "relay"

func newProveRelay() *cobra.Command {
	return &cobra.Command{
		Use: relayOfProof, Short: "A relay as a proof runs, pauses and kills it", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return prove.RunRelay(cmd.Context(), os.Stdin, os.Stdout) },
	}
}

func (a *app) proveStorm(ctx context.Context, cfg prove.StormConfig) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("prove: find this program, to start it again as a relay: %w", err)
	}
	cfg.Binary, cfg.Args = binary, []string{"prove", relayOfProof}
	a.secrets.LearnURL(cfg.Postgres)
	cfg.Progress = newProgress(a.err, isTerminal(os.Stderr)).update
	cfg.OnHead, cfg.OnStep = a.proofWriters()
	got, err := prove.Storm(ctx, cfg)
	again := fmt.Sprintf("prove storm --for %s", cfg.For)
	if len(cfg.Kafka) > 0 {
		again += " --kafka " + strings.Join(cfg.Kafka, ",")
	}
	return a.proofEnd(got, err, "storm", again)
}
