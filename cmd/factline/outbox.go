package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

// oldAfter is when an unpublished event is news for an operator.
const oldAfter = 5 * time.Minute

func newOutbox(a *app) *cobra.Command {
	var service string
	status := &cobra.Command{
		Use:   "status",
		Short: "Show what waits to be published; 3 when events are parked, older than 5 minutes or without a partition",
		Args:  noArgs,
	}
	status.Flags().StringVar(&service, "service", "", "show the lanes of this SERVICE (default a line for each service)")
	t := targetFlags(status)
	status.RunE = func(cmd *cobra.Command, _ []string) error { return a.outboxStatus(cmd.Context(), t, service) }
	return newGroup("outbox", "Events that wait to be published", status, newOutboxParked(a), newOutboxResolve(a), newOutboxSkipTopic(a), newOutboxTenants(a))
}

type outboxRow struct {
	Service string `json:"service"`
	outbox.StatusReport
	Pending       int64   `json:"pending"`
	Parked        int64   `json:"parked"`
	OldestSeconds float64 `json:"oldestSeconds"`
}

func (a *app) outboxStatus(ctx context.Context, t *target, service string) error {
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	services, err := c.Only(service)
	if err != nil {
		return usagef("--service: %w", err)
	}
	rows, err := outboxRows(ctx, services)
	if err != nil {
		return err
	}
	err = a.print(rows, func(w io.Writer) error {
		if service != "" {
			return writeLanes(w, rows[0])
		}
		return writeOutboxes(w, rows)
	})
	if err != nil {
		return err
	}
	return outboxVerdict(rows)
}

func outboxRows(ctx context.Context, services []runbook.Service) ([]outboxRow, error) {
	rows := make([]outboxRow, 0, len(services))
	for _, s := range services {
		report, err := outbox.Status(ctx, s.Pool)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		rows = append(rows, outboxRow{s.Name, report, report.Pending(), report.Parked(), report.Oldest().Seconds()})
	}
	return rows, nil
}

func writeOutboxes(w io.Writer, rows []outboxRow) error {
	t := render.NewTable("SERVICE", "LANES", "LEASED", "PENDING", "OLDEST", "PARKED", "RELAYS")
	for _, r := range rows {
		leased, owners := 0, map[string]bool{}
		for _, l := range r.Lanes {
			if l.LeaseSeconds > 0 {
				leased++
				owners[instance(l.Owner)] = true
			}
		}
		t.Row(r.Service, len(r.Lanes), leased, counted(r.Pending, r.IsAtLeast()), age(r.OldestSeconds), r.Parked, sortedNames(owners))
	}
	if err := table(w, t, "no service has an outbox"); err != nil {
		return err
	}
	return writeBlockers(w, rows)
}

// counted is a number of events, of which there may be more.
func counted(events int64, isAtLeast bool) any {
	if isAtLeast {
		return fmt.Sprintf("at least %d", events)
	}
	return events
}

// instance leaves out the part of an owner that differs at each start.
func instance(owner string) string {
	name, _, _ := strings.Cut(owner, "/")
	return name
}

func writeLanes(w io.Writer, r outboxRow) error {
	t := render.NewTable("LANE", "OWNER", "EPOCH", "LEASE", "LOW WATER", "PENDING", "OLDEST", "PARKED")
	for _, l := range r.Lanes {
		t.Row(l.Lane, l.Owner, l.Epoch, age(l.LeaseSeconds), l.LowWater, counted(l.Pending, l.IsAtLeast()), age(l.OldestSeconds), l.Parked)
	}
	if err := table(w, t, "the outbox has no lanes"); err != nil {
		return err
	}
	return writeBlockers(w, []outboxRow{r})
}

func writeBlockers(w io.Writer, rows []outboxRow) error {
	for _, r := range rows {
		if b := r.Blocker; b != nil && b.AgeSeconds > 10 {
			_, err := fmt.Fprintf(w, "\nthe oldest writing transaction is %s old (%s): gaps cannot be proved empty before it ends\n",
				render.Duration(seconds(b.AgeSeconds)), render.Safe(b.String()))
			if err != nil {
				return err
			}
			break
		}
	}
	return writeDefaultRows(w, rows)
}

func writeDefaultRows(w io.Writer, rows []outboxRow) error {
	for _, r := range rows {
		if r.DefaultRows == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%d events of %s are in the default partition: none was made for their day; let its relay run\n", r.DefaultRows, r.Service); err != nil {
			return err
		}
	}
	return nil
}

// age prints no age of nothing.
func age(s float64) any {
	if s <= 0 {
		return nil
	}
	return seconds(s)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func outboxVerdict(rows []outboxRow) error {
	for _, r := range rows {
		if r.Parked > 0 {
			return foundf("outbox parked --service "+r.Service, "outbox: %d events of %s are parked and hold back their keys", r.Parked, r.Service)
		}
		if r.DefaultRows > 0 {
			return foundf("serve "+r.Service, "outbox: events of %s are in the default partition; its relay makes the partitions of the days ahead", r.Service)
		}
		if r.OldestSeconds > oldAfter.Seconds() {
			return foundf("outbox status --service "+r.Service, "outbox: the oldest event of %s waits for %s; see whether its relay and the broker run",
				r.Service, render.Duration(seconds(r.OldestSeconds)))
		}
	}
	return nil
}
