package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/platform"
	"factline.dev/replay"
)

func newReplay(a *app) *cobra.Command {
	run := &cobra.Command{
		Use:   "run",
		Short: "Rebuild a read model beside the live one and compare; 3 when they differ",
		Long: `Rebuild a read model beside the live one, from the first record of the log, and
compare both in every column. Live traffic may go on; the live table and its
group are not touched. Ends with 3 when they differ.`,
		Args: noArgs,
	}
	t := targetFlags(run)
	projection := run.Flags().String("projection", "order-summary", "NAME of the read model: order-summary or order-line")
	keep := run.Flags().Bool("keep", false, "leave the rebuilt table for a look")
	run.RunE = func(cmd *cobra.Command, _ []string) error { return a.runReplay(cmd.Context(), t, *projection, *keep) }
	return newGroup("replay", "Read models, rebuilt from the log", run)
}

func (a *app) runReplay(ctx context.Context, t *target, name string, keep bool) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	_, brokers, err := stack.Target{Folder: *t.folder, Postgres: t.postgres, Kafka: addresses(t.kafka)}.Find()
	if err != nil {
		return err
	}
	pool, err := replayPool(ctx, c)
	if err != nil {
		return err
	}
	defer pool.Close()
	projection, err := findProjection(ctx, pool, name)
	if err != nil {
		return err
	}
	catalogue, err := loadContracts("")
	if err != nil {
		return err
	}
	lines := &replayProgress{to: a.err, terminal: isTerminal(os.Stderr) && !a.json}
	report, err := replay.Run(ctx, replay.Config{
		Projection: projection, Pool: pool, Brokers: brokers, Contracts: catalogue, Keep: keep, OnProgress: lines.update,
	})
	lines.end()
	if err != nil {
		return replayFailed(err)
	}
	if err := a.print(report, func(w io.Writer) error { return writeReplay(w, report) }); err != nil || report.Equal {
		return err
	}
	return foundf("replay run --keep --projection "+name, "replay: %s differs from its rebuilt copy in %d rows and %d columns",
		report.Live.Table, report.DifferingKeys, len(report.Columns))
}

// replayPool has more connections than one for looking.
func replayPool(ctx context.Context, c *stack.Connection) (*pgxpool.Pool, error) {
	services, err := c.Only(platform.ProjectionService)
	if err != nil {
		return nil, fmt.Errorf("replay: find the read models: %w", err)
	}
	config := services[0].Pool.Config()
	config.MaxConns = 6
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("replay: connect to the database of %s: %w", platform.ProjectionService, err)
	}
	return pool, nil
}

func findProjection(ctx context.Context, pool *pgxpool.Pool, name string) (replay.Projection, error) {
	all, err := platform.Replays(ctx, pool)
	if err != nil {
		return replay.Projection{}, err
	}
	var known []string
	for _, p := range all {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return replay.Projection{}, usagef("--projection: there is no read model %q; there are %s", name, strings.Join(known, ", "))
}

func replayFailed(err error) error {
	switch {
	case errors.Is(err, replay.ErrDecisionChanged):
		return failed(err, "replay run")
	case errors.Is(err, replay.ErrLiveRestless):
		return failed(err, "consumers lag")
	}
	return failed(err, "replay run --help")
}

func writeReplay(w io.Writer, r replay.Report) error {
	facts := render.NewTable("REPLAY", r.Preview.Projection)
	facts.Row("scope", r.Preview.Scope)
	facts.Row("records read", r.Records)
	facts.Row("applied", r.Applied)
	facts.Row("advanced only", r.Advanced)
	facts.Row("duplicates ignored", r.Duplicates)
	facts.Row("held", r.Held)
	facts.Row("given up, as live", r.GivenUp)
	facts.Row("calls not made", r.ClosedCalls)
	facts.Row("seconds", fmt.Sprintf("%.1f", r.Seconds))
	tables := render.NewTable("TABLE", "ROWS", "CHECKSUM")
	tables.Row(r.Live.Table, r.Live.Rows, r.Live.Checksum)
	tables.Row(r.Rebuilt.Table+word(r.Kept, " (kept)", " (dropped)"), r.Rebuilt.Rows, r.Rebuilt.Checksum)
	for _, t := range []*render.Table{facts, tables} {
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(w)
	}
	if r.Equal {
		_, err := fmt.Fprintln(w, "equal in every column")
		return err
	}
	return writeDifferences(w, r.Comparison)
}

func writeDifferences(w io.Writer, c replay.Comparison) error {
	if len(c.Columns) > 0 {
		_, err := fmt.Fprintln(w, render.Safe("the tables have different columns: "+strings.Join(c.Columns, ", ")))
		return err
	}
	t := render.NewTable("KEY", "DIFFERENCE", "COLUMNS")
	for _, d := range c.Differences {
		t.Row(d.Key, string(d.Kind), strings.Join(d.Columns, ", "))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d rows differ\n", c.DifferingKeys)
	return err
}

// replayProgress is one line that changes on a terminal, and nothing elsewhere
// but the step that begins.
type replayProgress struct {
	to       io.Writer
	terminal bool
	step     string
}

func (p *replayProgress) update(now replay.Progress) {
	if !p.terminal {
		if now.Step != p.step && now.Total > 0 {
			_, _ = fmt.Fprintf(p.to, "replay: %s, %d records\n", now.Step, now.Total)
		}
		p.step = now.Step
		return
	}
	p.step = now.Step
	line := fmt.Sprintf("%s: %d of %d records", now.Step, now.Records, now.Total)
	if now.Remaining > 0 {
		line += ", about " + render.Duration(now.Remaining) + " left"
	}
	_, _ = fmt.Fprint(p.to, "\r\x1b[K"+line)
}

func (p *replayProgress) end() {
	if p.terminal && p.step != "" {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
