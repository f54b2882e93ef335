package order

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/seed"
)

// Seed fills the mirror of entitlements once. It changes nothing where it has
// content.
func (s *Service) Seed(ctx context.Context, tenants []seed.Tenant) error {
	err := database.InTenant(ctx, s.host.Pool, database.Platform, func(tx pgx.Tx) error {
		var seeded bool
		if err := tx.QueryRow(ctx, statement("is_seeded")).Scan(&seeded); err != nil || seeded {
			return err
		}
		batch := &pgx.Batch{}
		for _, t := range tenants {
			for _, c := range t.Customers {
				batch.Queue(statement("seed_entitlement"), named.Args{
					"tenant_id": t.ID, "id": c.Entitlement.CustomerID, "credit_status": c.Entitlement.CreditStatus,
				})
			}
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("order: seed mirrors: %w", err)
	}
	return nil
}
