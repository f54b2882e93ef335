package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/cmd/factline/internal/stack"
	"factline.dev/contract"
	"factline.dev/deadletter"
	"factline.dev/outbox"
	"factline.dev/platform"
)

func newDeadLetters(a *app) *cobra.Command {
	return newGroup("deadletters", "Events that consumers gave up",
		newDeadLettersList(a), newDeadLettersShow(a), newDeadLettersRedrive(a), newDeadLettersCorrect(a), newDeadLettersSkip(a))
}

// openStore returns the store of all dead letters. A redrive needs the
// catalogue.
func openStore(c *stack.Connection, catalogue *contract.Catalogue) (*deadletter.Store, error) {
	cfg := deadletter.StoreConfig{}
	pools := deadletter.Pools{}
	for _, s := range c.Services() {
		pools[s.Name] = s.Pool
	}
	cfg.Pool, cfg.Outcomes = pools[platform.OperationsService], pools
	if catalogue != nil {
		ob, err := outbox.New(outbox.Config{Contracts: catalogue, Producer: platform.OperationsService})
		if err != nil {
			return nil, err
		}
		cfg.Contracts, cfg.Outbox = catalogue, ob
	}
	return deadletter.NewStore(cfg)
}

// isMissingStore reports whether err says that nothing collects dead letters
// in this platform yet.
func isMissingStore(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}

// selectionFlags choose letters.
func selectionFlags(cmd *cobra.Command) func(now time.Time) (deadletter.Selection, error) {
	var sel deadletter.Selection
	var since, until string
	flags := cmd.Flags()
	flags.StringVar(&sel.Group, "group", "", "only those of this consumer GROUP")
	flags.StringVar(&sel.Topic, "topic", "", "only those from this source TOPIC")
	flags.StringVar(&sel.Class, "class", "", "only those with this error CLASS")
	flags.StringVar(&sel.Fingerprint, "fingerprint", "", "only those of this cause, a FINGERPRINT of list --group-by cause")
	flags.StringVar(&sel.TenantID, "tenant", "", "only those of this TENANT")
	flags.StringVar(&sel.EventType, "type", "", "only events of this TYPE")
	flags.StringVar(&sel.ID, "id", "", "only the dead letter with this ID")
	flags.StringVar(&since, "since", "", "only those that failed in the last TIME (2h), or since a time (2026-07-02T08:00:00Z)")
	flags.StringVar(&until, "until", "", "only those that failed before that TIME")
	return func(now time.Time) (_ deadletter.Selection, err error) {
		if sel.Since, err = moment("--since", since, now); err != nil {
			return sel, err
		}
		sel.Until, err = moment("--until", until, now)
		return sel, err
	}
}

// moment is a time, or how long ago it was.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("%s: %q is neither a duration such as 2h nor a time such as 2026-07-02T08:00:00Z", flag, text)
	}
	return at, nil
}

func newDeadLettersList(a *app) *cobra.Command {
	var state, groupBy, after string
	var all bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open dead letters, newest first, or their causes",
		Args:  noArgs,
	}
	t := targetFlags(cmd)
	selection := selectionFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&groupBy, "group-by", "", "\"cause\" prints a line for each topic, group and error fingerprint")
	flags.BoolVar(&all, "all", false, "settled ones as well")
	flags.StringVar(&state, "state", "", "only those in this STATE: OPEN, REDRIVEN, APPLIED, SKIPPED, SUPERSEDED, CORRECTED")
	flags.IntVar(&limit, "limit", 200, "the most on a page, up to 10000")
	flags.StringVar(&after, "after", "", "the MARK of the page before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		sel, err := selection(time.Now())
		if err != nil {
			return err
		}
		sel.State, sel.Limit, sel.After = state, limit, after
		if !all && state == "" {
			sel.State = deadletter.Open
		}
		if groupBy != "" && groupBy != "cause" {
			return usagef("--group-by: %q is unknown; there is cause", groupBy)
		}
		return a.listDeadLetters(cmd.Context(), t, sel, groupBy != "")
	}
	return cmd
}

func (a *app) listDeadLetters(ctx context.Context, t *target, sel deadletter.Selection, grouped bool) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	store, err := openStore(c, nil)
	if err != nil {
		return err
	}
	if grouped {
		groups, err := store.Groups(ctx, sel)
		if err != nil && !isMissingStore(err) {
			return err
		}
		return a.print(orEmpty(groups), func(w io.Writer) error { return writeGroups(w, groups) })
	}
	page, err := store.List(ctx, sel)
	if err != nil && !isMissingStore(err) {
		return err
	}
	if len(page.Letters) == 0 {
		if page.Letters, err = uncollected(ctx, c, sel); err != nil {
			return err
		}
	}
	page.Letters = orEmpty(page.Letters)
	return a.print(page, func(w io.Writer) error { return writeLetters(w, page) })
}

func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// uncollected are the letters of the services' own databases, where the store
// has none yet. They have no fingerprint, and fewer filters apply.
func uncollected(ctx context.Context, c *stack.Connection, sel deadletter.Selection) ([]deadletter.Letter, error) {
	filter := deadletter.Filter{Consumer: sel.Group, Topic: sel.Topic, State: sel.State, Limit: sel.Limit}
	sel.Group, sel.Topic, sel.State, sel.Limit = "", "", "", 0
	if sel != (deadletter.Selection{}) {
		return nil, nil
	}
	var letters []deadletter.Letter
	for _, s := range c.Services() {
		entries, err := deadletter.List(ctx, s.Pool, filter)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			letters = append(letters, letterOf(e))
		}
	}
	slices.SortStableFunc(letters, func(x, y deadletter.Letter) int { return y.Record.FailedAt.Compare(x.Record.FailedAt) })
	return letters, nil
}

func letterOf(e deadletter.Entry) deadletter.Letter {
	return deadletter.Letter{
		ID: e.ID, Record: e.Record, TenantID: e.TenantID, AggregateType: e.AggregateType, AggregateID: e.AggregateID,
		AggregateVersion: e.AggregateVersion, Failures: 1, FirstFailedAt: e.Record.FailedAt, State: e.State, StateAt: e.Record.FailedAt,
		Fingerprint: deadletter.Fingerprint(e.Record.ErrorClass, e.Record.ErrorMessage),
	}
}

func writeLetters(w io.Writer, page deadletter.Page) error {
	t := render.NewTable("ID", "FAILED AT", "GROUP", "TOPIC", "OFFSET", "EVENT", "CLASS", "FINGERPRINT", "FAILURES", "STATE")
	for _, l := range page.Letters {
		t.Row(l.ID, l.Record.FailedAt, l.Record.ConsumerGroup, l.Record.SourceTopic, fmt.Sprintf("%d/%d", l.Record.SourcePartition, l.Record.SourceOffset),
			l.Record.EventType, string(l.Record.ErrorClass), l.Fingerprint, l.Failures, l.State)
	}
	if err := table(w, t, "no dead letters"); err != nil || page.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more with --after %s\n", render.Safe(page.Next))
	return err
}

func writeGroups(w io.Writer, groups []deadletter.Group) error {
	t := render.NewTable("LETTERS", "KEYS", "GROUP", "TOPIC", "CLASS", "FINGERPRINT", "FIRST", "LAST", "ERROR OF THE NEWEST")
	for _, g := range groups {
		t.Row(g.Letters, g.Keys, g.ConsumerGroup, g.Topic, g.ErrorClass, g.Fingerprint, g.FirstFailedAt, g.LastFailedAt, cut(g.SampleMessage, 120))
	}
	return table(w, t, "no dead letters")
}

// cut keeps what strangers wrote from filling the screen.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s ... (%s in all, see --json)", text[:most], render.Bytes(int64(len(text))))
}
