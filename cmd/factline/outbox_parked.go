package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

// parkedRow is a parked event and the service whose outbox has it.
type parkedRow struct {
	Service string `json:"service"`
	outbox.ParkedEvent
}

func newOutboxParked(a *app) *cobra.Command {
	var filter outbox.ParkedFilter
	var service string
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "List the events that the broker refuses and that hold back their keys, newest first",
		Args:  noArgs,
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&service, "service", "", "only those of this SERVICE")
	cmd.Flags().StringVar(&filter.Topic, "topic", "", "only those for this TOPIC")
	cmd.Flags().IntVar(&filter.Limit, "limit", 200, "the most of one service")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.listParked(cmd.Context(), t, service, filter) }
	return cmd
}

func (a *app) listParked(ctx context.Context, t *target, service string, filter outbox.ParkedFilter) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	services, err := c.Only(service)
	if err != nil {
		return usagef("--service: %w", err)
	}
	rows := []parkedRow{}
	for _, s := range services {
		events, err := outbox.Parked(ctx, s.Pool, filter)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, e := range events {
			rows = append(rows, parkedRow{s.Name, e})
		}
	}
	slices.SortStableFunc(rows, func(x, y parkedRow) int { return y.ParkedAt.Compare(x.ParkedAt) })
	return a.print(rows, func(w io.Writer) error { return writeParked(w, rows) })
}

func writeParked(w io.Writer, rows []parkedRow) error {
	t := render.NewTable("ID", "PARKED AT", "SERVICE", "TOPIC", "EVENT", "AGGREGATE", "VERSION", "HELD", "STATE", "REASON")
	for _, r := range rows {
		state := "WAITS"
		if !r.Waits {
			state = "RELEASED"
		}
		t.Row(r.ID, r.ParkedAt, r.Service, r.Topic, r.EventType, r.AggregateID, r.AggregateVersion, r.HeldEvents, state, r.Reason)
	}
	return table(w, t, "no parked events")
}

func newOutboxResolve(a *app) *cobra.Command {
	var request outbox.ResolveRequest
	var retry, skip bool
	cmd := &cobra.Command{
		Use:   "resolve ID --retry|--skip --reason TEXT",
		Short: "Send a parked event again, or give it up for good; what waits behind it follows; audited",
		Args:  exactly("the id of a parked event"),
	}
	t := targetFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&retry, "retry", false, "send it again, where the cause is mended")
	flags.BoolVar(&skip, "skip", false, "give it up: it never reaches the log")
	flags.StringVar(&request.Reason, "reason", "", "why; an auditor reads this TEXT")
	flags.StringVar(&request.Operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(flags, "operator", "FACTLINE_OPERATOR")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.ID = args[0]
		if err := decide(&request, retry, skip); err != nil {
			return err
		}
		return a.resolveParked(cmd.Context(), t, request)
	}
	return cmd
}

// decide completes the request or says which flag is missing.
func decide(request *outbox.ResolveRequest, retry, skip bool) error {
	again := func(flag, text string) error {
		return &failure{code: exitUsage, err: errors.New(text), next: fmt.Sprintf("outbox resolve %s %s --reason TEXT", request.ID, flag)}
	}
	switch {
	case retry == skip:
		return again("--retry", "--retry or --skip: give one of them; --retry sends the event again, --skip gives it up")
	case retry:
		request.Decision = outbox.Retry
	default:
		request.Decision = outbox.Skip
	}
	if request.Reason == "" {
		return again("--"+string(request.Decision), "--reason: it is missing; say why the event is to be sent again or given up")
	}
	if request.Operator == "" {
		request.Operator = systemUser()
	}
	return nil
}

func (a *app) resolveParked(ctx context.Context, t *target, request outbox.ResolveRequest) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	result, err := resolveIn(ctx, c.Services(), request)
	var behind *outbox.HeldBehindError
	switch {
	case errors.As(err, &behind):
		return failed(err, fmt.Sprintf("outbox resolve %s --%s --reason TEXT", behind.Culprit, request.Decision))
	case err != nil:
		return failed(err, "outbox parked")
	}
	return a.print(result, func(w io.Writer) error { return writeResolved(w, request, result) })
}

// resolveIn looks in every service's database.
func resolveIn(ctx context.Context, services []runbook.Service, request outbox.ResolveRequest) (outbox.ResolveResult, error) {
	for _, s := range services {
		result, err := outbox.Resolve(ctx, s.Pool, request)
		if !errors.Is(err, outbox.ErrNotWaiting) {
			return result, err
		}
	}
	return outbox.ResolveResult{}, fmt.Errorf("outbox: resolve %s: no service has a parked event with this id that waits", request.ID)
}

func writeResolved(w io.Writer, request outbox.ResolveRequest, result outbox.ResolveResult) error {
	done, next := "released", "it is sent again"
	if request.Decision == outbox.Skip {
		done, next = "skipped", "it never reaches the log"
	}
	_, err := fmt.Fprintf(w, "%s %s by %s (action %s)\n%s; %d events of its key that waited follow in order\n",
		done, render.Safe(request.ID), render.Safe(request.Operator), result.ActionID, next, result.HeldEvents)
	if err == nil && request.Decision == outbox.Skip {
		_, err = fmt.Fprintln(w, "groups that read its topic in order wait for its version now: factline consumers gaps")
	}
	return err
}
