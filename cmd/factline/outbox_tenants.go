package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/render"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

// tenantRow is what waits of a tenant in the outbox of a service.
type tenantRow struct {
	Service string `json:"service"`
	outbox.TenantBacklog
}

func newOutboxTenants(a *app) *cobra.Command {
	var service string
	var limit int
	cmd := &cobra.Command{
		Use:   "tenants",
		Short: "List the tenants with the most events that wait to be published",
		Args:  noArgs,
	}
	t := targetFlags(cmd)
	cmd.Flags().StringVar(&service, "service", "", "only those of this SERVICE")
	cmd.Flags().IntVar(&limit, "limit", 20, "the most of one service")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.outboxTenants(cmd.Context(), t, service, limit) }
	return cmd
}

func (a *app) outboxTenants(ctx context.Context, t *target, service string, limit int) error {
	if limit < 1 {
		return usagef("--limit: %d is below 1", limit)
	}
	c, err := a.connect(ctx, t)
	if err != nil {
		return err
	}
	defer c.Close()
	services, err := c.Only(service)
	if err != nil {
		return usagef("--service: %w", err)
	}
	rows, err := tenantsIn(ctx, services, limit)
	if err != nil {
		return err
	}
	return a.print(rows, func(w io.Writer) error { return writeTenants(w, rows) })
}

func tenantsIn(ctx context.Context, services []runbook.Service, limit int) ([]tenantRow, error) {
	rows := []tenantRow{}
	for _, s := range services {
		tenants, err := outbox.Tenants(ctx, s.Pool, limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, b := range tenants {
			rows = append(rows, tenantRow{s.Name, b})
		}
	}
	return rows, nil
}

func writeTenants(w io.Writer, rows []tenantRow) error {
	t := render.NewTable("SERVICE", "TENANT", "PENDING", "OLDEST")
	for _, r := range rows {
		t.Row(r.Service, r.TenantID, counted(r.Pending, r.IsCut), age(r.OldestSeconds))
	}
	if err := table(w, t, "nothing waits to be published"); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r tenantRow) bool { return r.IsCut }) {
		_, err := fmt.Fprintf(w, "\nonly the first %d events of each lane were counted; tenants with later ones alone are missing\n", outbox.MaxCountedPending)
		return err
	}
	return nil
}
