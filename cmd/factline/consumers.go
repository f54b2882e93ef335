package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/runbook"
)

func newConsumers(a *app) *cobra.Command {
	lag := &cobra.Command{
		Use:   "lag",
		Short: "Show how far each group is behind, and what it holds back",
		Args:  noArgs,
	}
	t := targetFlags(lag)
	lag.RunE = func(cmd *cobra.Command, _ []string) error { return a.consumerLag(cmd.Context(), t) }
	return newGroup("consumers", "Consumer groups and their progress", lag, newConsumersGaps(a), newConsumersSkipVersions(a))
}

func (a *app) consumerLag(ctx context.Context, t *target) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	log, err := c.Log()
	if err != nil {
		return err
	}
	rows, err := runbook.Lag(ctx, c.Services(), log)
	if err != nil {
		return failed(err, withFolder("up", *t.folder))
	}
	return a.print(rows, func(w io.Writer) error { return writeLag(w, rows) })
}

func writeLag(w io.Writer, rows []runbook.PartitionLag) error {
	t := render.NewTable("GROUP", "TOPIC", "PARTITION", "END", "NEXT", "COMMITTED", "LAG", "HELD", "BLOCKED KEYS")
	for _, r := range rows {
		t.Row(r.Group, r.Topic, r.Partition, r.EndOffset, r.NextOffset, committed(r), r.LagRecords, r.HeldEvents, r.BlockedKeys)
	}
	return table(w, t, "no group has started yet")
}

func committed(r runbook.PartitionLag) any {
	if r.Committed < 0 {
		return nil
	}
	return r.Committed
}

func sortedNames(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
