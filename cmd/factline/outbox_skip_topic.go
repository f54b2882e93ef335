package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

// skippedTopic is what was given up in the outbox of one service.
type skippedTopic struct {
	Service string `json:"service"`
	outbox.SkipTopicResult
}

func newOutboxSkipTopic(a *app) *cobra.Command {
	var request outbox.SkipTopicRequest
	cmd := &cobra.Command{
		Use:   "skip-topic TOPIC --reason TEXT",
		Short: "Give up the events that are set aside for a topic the broker will never accept; audited",
		Args:  exactly("the name of a topic"),
	}
	t := targetFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&request.Reason, "reason", "", "why; an auditor reads this TEXT")
	flags.StringVar(&request.Operator, "operator", "", "who decides, a NAME (default the user of the system)")
	environment(flags, "operator", "FACTLINE_OPERATOR")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.Topic = args[0]
		if request.Reason == "" {
			err := errors.New("--reason: it is missing; say why the events are to be given up")
			return &failure{code: exitUsage, err: err, next: fmt.Sprintf("outbox skip-topic %s --reason TEXT", request.Topic)}
		}
		if request.Operator == "" {
			request.Operator = systemUser()
		}
		return a.skipTopic(cmd.Context(), t, request)
	}
	return cmd
}

func (a *app) skipTopic(ctx context.Context, t *target, request outbox.SkipTopicRequest) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	rows, err := skipTopicIn(ctx, c.Services(), request)
	if err != nil {
		return failed(err, "outbox status --json")
	}
	return a.print(rows, func(w io.Writer) error { return writeSkippedTopic(w, request, rows) })
}

// skipTopicIn skips the topic in every service's outbox: each appends on its own.
func skipTopicIn(ctx context.Context, services []runbook.Service, request outbox.SkipTopicRequest) (rows []skippedTopic, err error) {
	for _, s := range services {
		result, err := outbox.SkipTopic(ctx, s.Pool, request)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		if result.Events > 0 {
			rows = append(rows, skippedTopic{s.Name, result})
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("outbox: skip topic %s: no service has events set aside for it", request.Topic)
	}
	return rows, nil
}

func writeSkippedTopic(w io.Writer, request outbox.SkipTopicRequest, rows []skippedTopic) error {
	for _, r := range rows {
		_, err := fmt.Fprintf(w, "%s: %d events for %s given up by %s (action %s)\n",
			r.Service, r.Events, render.Safe(request.Topic), render.Safe(request.Operator), r.ActionID)
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "groups that read it in order wait for their versions once later ones reach them: factline consumers gaps")
	return err
}
