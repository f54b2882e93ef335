package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/prove"
)

func newProveKills(a *app) *cobra.Command {
	var cfg prove.KillsConfig
	cmd := &cobra.Command{
		Use:   "kills",
		Short: "Prove that up survives kill -9 of all of it under load, again and again; 1 when something is lost or doubled",
		Long: `Prove that "factline up" survives kill -9 of all of it under load: services,
broker and database are killed at the same moment and started again in the same
folder, as often as asked. Clients go on all the while and send again what was
not answered. Moments are random, and some fall into a start. When it has come
to rest, every committed event must be on the log as it was committed, every
acceptance that was answered must be one completed order, and every effect must
have happened once.

Ends with 1 when a step failed, or when fewer than half of the kills that found it
up fell upon work under way.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.proveKills(cmd.Context(), cfg) },
	}
	flags := cmd.Flags()
	flags.IntVar(&cfg.Times, "times", 10, "how often all of it is killed")
	flags.Float64Var(&cfg.Rate, "rate", 25, "quotes a second to begin")
	flags.StringVar(&cfg.Folder, "dir", "", "DIR for data and logs, empty or missing; it stays (default a temporary one that is removed when the proof passes)")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "NUMBER that decides workload and moments (default a random one, which is printed)")
	flags.DurationVar(&cfg.Patience, "patience", 0, "how long a start, and coming to rest, may take (default 2m)")
	return cmd
}

func (a *app) proveKills(ctx context.Context, cfg prove.KillsConfig) error {
	if cfg.Times < 1 || cfg.Rate <= 0 {
		return usagef("--times and --rate must be positive")
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("prove: find this program, to start it again as up: %w", err)
	}
	cfg.Binary, cfg.Args = binary, []string{"up"}
	cfg.Find = func(folder string) (map[string]string, []string, error) {
		urls, brokers, err := stack.Target{Folder: folder}.Find()
		for _, url := range urls {
			a.secrets.LearnURL(url)
		}
		return urls, brokers, err
	}
	cfg.Progress = newProgress(a.err, isTerminal(os.Stderr)).update
	cfg.OnHead, cfg.OnStep = a.proofWriters()
	got, err := prove.Kills(ctx, cfg)
	return a.proofEnd(got, err, "kills", fmt.Sprintf("prove kills --times %d --rate %g --dir DIR", cfg.Times, cfg.Rate))
}
