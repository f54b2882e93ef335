package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/deadletter"
	"factline.dev/runbook"
)

// letter is a dead letter as the store and as its group's database have it.
type letter struct {
	deadletter.Letter
	// Service is the one that gave it up, empty where its database is not at hand.
	Service string `json:"service,omitempty"`
	// GroupState is its state there, which is the truth.
	GroupState string `json:"groupState,omitempty"`
	// HeldEvents is how many events of its key wait behind it.
	HeldEvents int64 `json:"heldEvents"`
	// Corrections are the events that were put in its place there.
	Corrections []deadletter.Correction `json:"corrections,omitempty"`
}

func newDeadLettersShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter with the whole record, its history and what waits behind it",
		Args:  exactly("the id of a dead letter"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect(cmd.Context(), t)
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := findShown(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return a.print(l, func(w io.Writer) error { return writeLetter(w, l) })
	}
	return cmd
}

func findShown(ctx context.Context, c *stack.Connection, id string) (letter, error) {
	store, err := openStore(c, nil)
	if err != nil {
		return letter{}, err
	}
	l, storeErr := store.Get(ctx, id)
	if storeErr != nil && !errors.Is(storeErr, deadletter.ErrNotFound) && !isMissingStore(storeErr) {
		return letter{}, storeErr
	}
	service, entry, err := findLetter(ctx, c, id)
	switch {
	case err != nil && storeErr != nil:
		return letter{}, err
	case err != nil: // collected from a group whose database is not at hand
		return letter{Letter: l}, nil
	case storeErr != nil:
		l = letterOf(entry)
	}
	return letter{Letter: l, Service: service.Name, GroupState: entry.State, HeldEvents: entry.HeldEvents, Corrections: entry.Corrections}, nil
}

// findLetter looks in every service's database.
func findLetter(ctx context.Context, c *stack.Connection, id string) (runbook.Service, deadletter.Entry, error) {
	for _, s := range c.Services() {
		e, err := deadletter.Get(ctx, s.Pool, id)
		if errors.Is(err, deadletter.ErrNotFound) {
			continue
		}
		return s, e, err
	}
	return runbook.Service{}, deadletter.Entry{}, failed(fmt.Errorf("deadletters: find %s: no service has a dead letter with this id", id), "deadletters list --all")
}

// maxShown is the most of a value for people; --json has it all.
const maxShown = 16 << 10

func writeLetter(w io.Writer, l letter) error {
	t := render.NewTable("DEAD LETTER", l.ID)
	t.Row("state", l.State)
	t.Row("state in its group", l.GroupState)
	t.Row("failed at", l.Record.FailedAt)
	t.Row("first failed at", l.FirstFailedAt)
	t.Row("failures", l.Failures)
	t.Row("service", l.Service)
	t.Row("group", l.Record.ConsumerGroup)
	t.Row("source", fmt.Sprintf("%s, partition %d, offset %d", l.Record.SourceTopic, l.Record.SourcePartition, l.Record.SourceOffset))
	t.Row("event", fmt.Sprintf("%s %s", l.Record.EventType, l.Record.EventID))
	t.Row("aggregate", fmt.Sprintf("%s %s version %d, tenant %s", l.AggregateType, l.AggregateID, l.AggregateVersion, l.TenantID))
	t.Row("class", string(l.Record.ErrorClass))
	t.Row("fingerprint", l.Fingerprint)
	t.Row("error", cut(l.Record.ErrorMessage, maxShown))
	t.Row("attempts", l.Record.AttemptCount)
	t.Row("held behind it", l.HeldEvents)
	for _, c := range l.Corrections {
		t.Row("corrected", fmt.Sprintf("%s by %s: event %s in the place of %s, because %s", render.Time(c.At), c.Operator, c.EventID, c.ReplacedID, c.Reason))
	}
	t.Row("key", cut(string(l.Record.OriginalKey), maxShown))
	for _, h := range l.Record.OriginalHeaders {
		t.Row("header "+cut(h.Key, 200), cut(string(h.Value), maxShown))
	}
	t.Row("value", cut(string(l.Record.OriginalValue), maxShown))
	if _, err := t.WriteTo(w); err != nil || len(l.History) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(w)
	return writeHistory(w, l.History)
}

func writeHistory(w io.Writer, history []deadletter.Event) error {
	t := render.NewTable("AT", "WHAT", "REDRIVE", "BY", "WHY", "DETAIL")
	for _, e := range history {
		detail := string(e.Detail)
		if detail == "{}" {
			detail = ""
		}
		t.Row(e.At, e.Kind, e.RedriveID, e.Operator, e.Reason, cut(detail, 300))
	}
	_, err := t.WriteTo(w)
	return err
}
