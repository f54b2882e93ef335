package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/deadletter"
	"factline.dev/runbook"
)

func newConsumersGaps(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gaps",
		Short: "List the aggregates whose events wait for a version that has not arrived, the longest first",
		Args:  noArgs,
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.connect(cmd.Context(), t)
		if err != nil {
			return err
		}
		defer c.Close()
		gaps, err := runbook.Gaps(cmd.Context(), c.Services())
		if err != nil {
			return err
		}
		return a.print(gaps, func(w io.Writer) error { return writeGaps(w, gaps) })
	}
	return cmd
}

func writeGaps(w io.Writer, gaps []runbook.Gap) error {
	t := render.NewTable("SINCE", "GROUP", "TOPIC", "TENANT", "AGGREGATE", "MISSING", "HELD")
	for _, g := range gaps {
		t.Row(g.Since, g.Group, g.Topic, g.TenantID, g.AggregateType+" "+g.AggregateID, versions(g.FromVersion, g.ToVersion), g.HeldEvents)
	}
	return table(w, t, "no gaps")
}

func versions(from, to int64) string {
	if from == to {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d to %d", from, to)
}

func newConsumersSkipVersions(a *app) *cobra.Command {
	var r deadletter.VersionsRequest
	cmd := &cobra.Command{
		Use:   "skip-versions GROUP --topic TOPIC --tenant TENANT --aggregate-type TYPE --aggregate ID --from N [--to M] --reason TEXT",
		Short: "Let a group go on behind versions that will never come; audited",
		Long: `An event that was skipped in its producer's outbox, or lost for good, leaves a
version that a group in order waits for, and no dead letter to settle. This
moves the group's gate over it: later events of the aggregate that wait are
applied in order. "consumers gaps" lists what groups wait for.

It refuses what the group does not wait for, and what would still come: an event
that its producer's outbox has yet to publish, or that stands on the log. It
reads the log for that, from the last event applied on.`,
		Args: exactly("the name of a group"),
	}
	t := targetFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&r.Topic, "topic", "", "the TOPIC that the group reads the aggregate from")
	flags.StringVar(&r.TenantID, "tenant", "", "the TENANT whose aggregate it is")
	flags.StringVar(&r.AggregateType, "aggregate-type", "", "the TYPE of the aggregate, such as Order")
	flags.StringVar(&r.AggregateID, "aggregate", "", "the ID of the aggregate")
	flags.Int64Var(&r.From, "from", 0, "the first missing version")
	flags.Int64Var(&r.To, "to", 0, "the last one (default --from)")
	flags.StringVar(&r.Reason, "reason", "", "why the group needs no effect of them; an auditor reads this TEXT")
	flags.StringVar(&r.Operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(flags, "operator", "FACTLINE_OPERATOR")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.Group = args[0]
		if err := complete(&r); err != nil {
			return err
		}
		return a.skipVersions(cmd.Context(), t, r)
	}
	return cmd
}

// complete says which flags are missing, and fills what may be left out.
func complete(r *deadletter.VersionsRequest) error {
	var missing []string
	for _, f := range []struct{ name, value string }{
		{"--topic", r.Topic}, {"--tenant", r.TenantID}, {"--aggregate-type", r.AggregateType}, {"--aggregate", r.AggregateID}, {"--reason", r.Reason},
	} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if r.From < 1 {
		missing = append(missing, "--from")
	}
	if len(missing) > 0 {
		return &failure{code: exitUsage, err: fmt.Errorf("%s: missing; say which versions, and why the group needs no effect of them", strings.Join(missing, ", ")), next: "consumers gaps"}
	}
	if r.To == 0 {
		r.To = r.From
	}
	if r.Operator == "" {
		r.Operator = systemUser()
	}
	return nil
}

func (a *app) skipVersions(ctx context.Context, t *target, r deadletter.VersionsRequest) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	service, err := serviceOf(c, r.Group)
	if err != nil {
		return err
	}
	log, err := c.Log()
	if err != nil {
		return err
	}
	r.FindFunc = func(ctx context.Context, m deadletter.Missing) (string, error) {
		return runbook.FindMissing(ctx, c.Services(), log, m)
	}
	result, err := deadletter.SkipVersions(ctx, service.Pool, r)
	var not *deadletter.NotMissingError
	var coming *deadletter.StillComingError
	switch {
	case errors.As(err, &not):
		return failed(err, "consumers gaps")
	case errors.As(err, &coming):
		return failed(err, "trace "+r.AggregateID)
	case err != nil:
		return err
	}
	return a.print(result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s goes on behind version %s of %s (action %s)\n%d events that waited follow from version %d on\n",
			render.Safe(r.Group), versions(r.From, r.To), render.Safe(r.AggregateID), result.ActionID, result.HeldEvents, result.Next)
		return err
	})
}

// serviceOf is the service that a group belongs to.
func serviceOf(c *stack.Connection, group string) (runbook.Service, error) {
	name, _, _ := strings.Cut(group, ".")
	services, err := c.Only(name)
	if err != nil || len(services) != 1 {
		return runbook.Service{}, usagef("%q is no group of a service here; a group is named SERVICE.STREAM.consumer", group)
	}
	return services[0], nil
}
