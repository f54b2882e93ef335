package quote

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/seed"
)

// Seed fills the mirrors once. It changes nothing where they have content.
func (s *Service) Seed(ctx context.Context, tenants []seed.Tenant) error {
	err := database.InTenant(ctx, s.host.Pool, database.Platform, func(tx pgx.Tx) error {
		var seeded bool
		if err := tx.QueryRow(ctx, statement("is_seeded")).Scan(&seeded); err != nil || seeded {
			return err
		}
		batch := &pgx.Batch{}
		for _, t := range tenants {
			queueSeed(batch, t)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("quote: seed mirrors: %w", err)
	}
	return nil
}

func queueSeed(batch *pgx.Batch, t seed.Tenant) {
	batch.Queue(statement("seed_policy"), named.Args{"tenant_id": t.ID, "version": t.Policy.DiscountPolicyVersion, "body": t.Policy})
	batch.Queue(statement("seed_price_book"), named.Args{
		"tenant_id": t.ID, "id": t.Book.PriceBookID, "code": t.Book.PriceBookCode, "version": t.Book.PriceBookVersion, "body": t.Book,
	})
	for _, c := range t.Customers {
		batch.Queue(statement("seed_entitlement"), named.Args{"tenant_id": t.ID, "id": c.Entitlement.CustomerID, "body": c.Entitlement})
		for _, cfg := range c.Configurations {
			batch.Queue(statement("seed_configuration"), named.Args{"tenant_id": t.ID, "id": cfg.ConfigurationID, "body": cfg})
		}
	}
}
