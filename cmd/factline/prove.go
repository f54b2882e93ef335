package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"factline.dev/prove"
	"factline.dev/prove/report"
)

// platformOfProof is the hidden command that the prover starts and kills.
const platformOfProof = "platform"

func newProve(a *app) *cobra.Command {
	var cfg prove.Config
	var kafka string
	slice := &cobra.Command{
		Use:   "slice",
		Short: "Prove the event backbone on a stack of its own, with kill -9; 1 when something is lost or doubled",
		Long: `Prove the event backbone on a stack of its own: quotes become orders, a replay
gives the same state, a repeated event is ignored, an invalid one becomes a dead
letter, metrics tell the truth, and SIGKILL at three points loses and doubles
nothing. The platform is a child of this process and is killed by its id.

Ends with 1 when a step failed, or when a fault did not provably fire.`,
		Args: noArgs,
	}
	flags := slice.Flags()
	flags.StringVar(&kafka, "kafka", "", "host:port[,host:port] of an empty Kafka cluster (default an embedded broker)")
	flags.StringVar(&cfg.Postgres, "postgres", "", "URL of a PostgreSQL server; databases of a new name are made and dropped (default an embedded one)")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "NUMBER that decides workload and kill points (default a random one, which is printed)")
	flags.IntVar(&cfg.Quotes, "quotes", 20, "how many quotes before the faults; each fault brings half as many")
	flags.DurationVar(&cfg.Patience, "patience", 0, "how long the platform may take to come to rest (default 1m)")
	flags.StringVar(&cfg.HistoryFile, "history", "", "FILE to write everything recorded to, as JSON")
	flags.BoolVar(&cfg.Keep, "keep", false, "leave folder, logs and databases for a look")
	environment(flags, "kafka", "FACTLINE_KAFKA")
	environment(flags, "postgres", "FACTLINE_POSTGRES")
	slice.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg.Kafka = addresses(kafka)
		return a.proveSlice(cmd.Context(), cfg)
	}
	child := &cobra.Command{
		Use: platformOfProof, Short: "The platform as a proof runs and kills it", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return prove.RunChild(cmd.Context(), os.Stdin, os.Stdout) },
	}
	return newGroup("prove", "Proofs: break the platform and look at what is left", slice, newProveKills(a), newProveStorm(a), child, newProveRelay())
}

func (a *app) proveSlice(ctx context.Context, cfg prove.Config) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("prove: find this program, to start it again as the platform: %w", err)
	}
	a.secrets.LearnURL(cfg.Postgres)
	cfg.Binary, cfg.Args = binary, []string{"prove", platformOfProof}
	cfg.Progress = newProgress(a.err, isTerminal(os.Stderr)).update
	cfg.OnHead, cfg.OnStep = a.proofWriters()
	got, err := prove.Slice(ctx, cfg)
	return a.proofEnd(got, err, "slice", "prove slice --keep")
}

// proofWriters print a proof step by step, for people.
func (a *app) proofWriters() (onHead func(*report.Report), onStep func(report.Step)) {
	if a.json {
		return nil, nil
	}
	return func(r *report.Report) { _ = r.WriteHead(a.out) }, func(s report.Step) { _ = s.Write(a.out) }
}

// proofEnd prints what came of a proof, nil where it did not begin.
func (a *app) proofEnd(r *report.Report, err error, verb, again string) error {
	if r == nil {
		return failed(err, "prove "+verb+" --help")
	}
	if printed := a.print(r, func(w io.Writer) error { return r.WriteTail(w) }); printed != nil {
		return errors.Join(err, printed)
	}
	return proofVerdict(r, err, again)
}

// proofVerdict repeats no problem: the steps have said them all. With the seed,
// again is the command that runs the proof again.
func proofVerdict(r *report.Report, err error, again string) error {
	again = fmt.Sprintf("%s --seed %d", again, r.Seed)
	switch {
	case r.Verdict == report.Pass && err == nil:
		return nil
	case err != nil:
		return failed(err, again)
	}
	return failed(fmt.Errorf("prove: the proof is %s", r.Verdict), again)
}
