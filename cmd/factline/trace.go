package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/runbook"
)

func newTrace(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Follow a quote, an order or an event and name the first broken link; 3 when one is broken",
		Args:  exactly("the id of a quote, an order or an event"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.trace(cmd.Context(), t, args[0]) }
	return cmd
}

func (a *app) trace(ctx context.Context, t *target, id string) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	log, err := c.Log()
	if err != nil {
		return err
	}
	report, err := runbook.Trace(ctx, runbook.Config{Services: c.Services(), Stages: stack.Stages(), Log: log}, id)
	var unknown *runbook.UnknownIDError
	switch {
	case errors.As(err, &unknown):
		return failed(err, "outbox status")
	case err != nil:
		return err
	}
	if err := a.print(report, func(w io.Writer) error { return writeTrace(w, report) }); err != nil {
		return err
	}
	return traceVerdict(report)
}

func writeTrace(w io.Writer, r runbook.Report) error {
	t := render.NewTable("", "LINK", "AT", "OBSERVED")
	for _, l := range r.Links {
		t.Row(string(l.State), l.Name, l.At, l.Detail)
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	first := r.First()
	if first == nil {
		_, err := fmt.Fprintf(w, "\nevery link holds\n")
		return err
	}
	_, err := fmt.Fprintf(w, "\nfirst link that does not hold: %s (%s)\n%s\n", render.Safe(first.Name), first.State, render.Safe(first.Recovery))
	return err
}

func traceVerdict(r runbook.Report) error {
	if !r.Broken() {
		return nil
	}
	first := r.First()
	next := first.Command
	if next == "" {
		next = "consumers lag"
	}
	return foundf(next, "trace: %s is broken: %s", first.Name, first.Detail)
}
