package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/deadletter"
)

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
	service, entry, err := findLetter(ctx, c, request.ID)
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
	if err := recordSkip(ctx, c, entry, request); err != nil {
		_, _ = fmt.Fprintln(a.err, render.Safe(err.Error()))
	}
	return a.print(result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "skipped %s by %s (action %s)\n%s\n", request.ID, render.Safe(request.Operator), result.ActionID, skipEffect(result))
		return err
	})
}

// recordSkip tells the store of all dead letters, where there is one.
func recordSkip(ctx context.Context, c *stack.Connection, entry deadletter.Entry, request deadletter.SkipRequest) error {
	store, err := openStore(c, nil)
	if err != nil {
		return err
	}
	if err := store.RecordSkip(ctx, entry, request); !isMissingStore(err) {
		return err
	}
	return nil
}

func skipEffect(r deadletter.SkipResult) string {
	if !r.Unblocked {
		return fmt.Sprintf("its key stays blocked by another dead letter; %d events wait", r.HeldEvents)
	}
	return fmt.Sprintf("its key is free; %d events that waited go on now", r.HeldEvents)
}
