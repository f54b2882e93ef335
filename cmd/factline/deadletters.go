package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/deadletter"
	"factline.dev/runbook"
)

func newDeadLetters(a *app) *cobra.Command {
	return newGroup("deadletters", "Events that consumers gave up",
		newDeadLettersList(a), newDeadLettersShow(a), newDeadLettersSkip(a))
}

// letter is a dead letter and the service that gave it up.
type letter struct {
	Service string `json:"service"`
	deadletter.Entry
}

func newDeadLettersList(a *app) *cobra.Command {
	var filter deadletter.Filter
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open dead letters, newest first",
		Args:  noArgs,
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&filter.Consumer, "group", "", "only those of this consumer GROUP")
	cmd.Flags().StringVar(&filter.Topic, "topic", "", "only those from this TOPIC")
	cmd.Flags().BoolVar(&all, "all", false, "settled ones as well")
	cmd.Flags().IntVar(&filter.Limit, "limit", 200, "the most of one service")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !all {
			filter.State = deadletter.Open
		}
		return a.listDeadLetters(cmd.Context(), t, filter)
	}
	return cmd
}

func (a *app) listDeadLetters(ctx context.Context, t *target, filter deadletter.Filter) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	letters := []letter{}
	for _, s := range c.Services() {
		entries, err := deadletter.List(ctx, s.Pool, filter)
		if err != nil {
			return err
		}
		for _, e := range entries {
			letters = append(letters, letter{s.Name, e})
		}
	}
	slices.SortStableFunc(letters, func(x, y letter) int { return y.Record.FailedAt.Compare(x.Record.FailedAt) })
	return a.print(letters, func(w io.Writer) error { return writeLetters(w, letters) })
}

func writeLetters(w io.Writer, letters []letter) error {
	t := render.NewTable("ID", "FAILED AT", "GROUP", "TOPIC", "OFFSET", "EVENT", "CLASS", "HELD", "STATE")
	for _, l := range letters {
		t.Row(l.ID, l.Record.FailedAt, l.Record.ConsumerGroup, l.Record.SourceTopic, fmt.Sprintf("%d/%d", l.Record.SourcePartition, l.Record.SourceOffset),
			l.Record.EventType, string(l.Record.ErrorClass), l.HeldEvents, l.State)
	}
	return table(w, t, "no dead letters")
}

func newDeadLettersShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter with the whole record",
		Args:  exactly("the id of a dead letter"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect(cmd.Context(), t)
		if err != nil {
			return err
		}
		defer c.Close()
		_, l, err := findLetter(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return a.print(l, func(w io.Writer) error { return writeLetter(w, l) })
	}
	return cmd
}

// findLetter looks in every service's database.
func findLetter(ctx context.Context, c *stack.Connection, id string) (runbook.Service, letter, error) {
	for _, s := range c.Services() {
		e, err := deadletter.Get(ctx, s.Pool, id)
		if errors.Is(err, deadletter.ErrNotFound) {
			continue
		}
		return s, letter{s.Name, e}, err
	}
	return runbook.Service{}, letter{}, failed(fmt.Errorf("deadletters: find %s: no service has a dead letter with this id", id), "deadletters list --all")
}

func writeLetter(w io.Writer, l letter) error {
	t := render.NewTable("DEAD LETTER", l.ID)
	t.Row("state", l.State)
	t.Row("failed at", l.Record.FailedAt)
	t.Row("closed at", l.ClosedAt)
	t.Row("service", l.Service)
	t.Row("group", l.Record.ConsumerGroup)
	t.Row("source", fmt.Sprintf("%s, partition %d, offset %d", l.Record.SourceTopic, l.Record.SourcePartition, l.Record.SourceOffset))
	t.Row("event", fmt.Sprintf("%s %s", l.Record.EventType, l.Record.EventID))
	t.Row("aggregate", fmt.Sprintf("%s %s version %d, tenant %s", l.AggregateType, l.AggregateID, l.AggregateVersion, l.TenantID))
	t.Row("class", string(l.Record.ErrorClass))
	t.Row("error", l.Record.ErrorMessage)
	t.Row("attempts", l.Record.AttemptCount)
	t.Row("held behind it", l.HeldEvents)
	t.Row("key", string(l.Record.OriginalKey))
	for _, h := range l.Record.OriginalHeaders {
		t.Row("header "+h.Key, string(h.Value))
	}
	t.Row("value", string(l.Record.OriginalValue))
	_, err := t.WriteTo(w)
	return err
}

func newDeadLettersSkip(a *app) *cobra.Command {
	var request deadletter.SkipRequest
	cmd := &cobra.Command{
		Use:   "skip ID --reason TEXT",
		Short: "Give one event up for good and let what waits behind it go on; audited",
		Args:  exactly("the id of a dead letter"),
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why its effect is not needed; an auditor reads this TEXT")
	cmd.Flags().StringVar(&request.Operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(cmd.Flags(), "operator", "FACTLINE_OPERATOR")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.ID = args[0]
		if request.Reason == "" {
			return &failure{
				code: exitUsage, err: errors.New("--reason: it is missing; say why the effect of this event is not needed"),
				next: fmt.Sprintf("deadletters skip %s --reason TEXT", args[0]),
			}
		}
		if request.Operator == "" {
			request.Operator = systemUser()
		}
		return a.skipDeadLetter(cmd.Context(), t, request)
	}
	return cmd
}

func systemUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func (a *app) skipDeadLetter(ctx context.Context, t *target, request deadletter.SkipRequest) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	service, _, err := findLetter(ctx, c, request.ID)
	if err != nil {
		return err
	}
	result, err := deadletter.Skip(ctx, service.Pool, request)
	var early *deadletter.NotNextError
	switch {
	case errors.As(err, &early):
		return failed(err, "trace "+early.AggregateID)
	case err != nil:
		return failed(err, "deadletters show "+request.ID)
	}
	return a.print(result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "skipped %s by %s (action %s)\n%s\n", request.ID, render.Safe(request.Operator), result.ActionID, skipEffect(result))
		return err
	})
}

func skipEffect(r deadletter.SkipResult) string {
	if !r.Unblocked {
		return fmt.Sprintf("its key stays blocked by another dead letter; %d events wait", r.HeldEvents)
	}
	return fmt.Sprintf("its key is free; %d events that waited go on now", r.HeldEvents)
}
