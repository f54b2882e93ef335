// Package projection is projection-service: read models made of events, and the
// queries on them.
//
// A read model has no side effects and takes every value from an event, so a
// rebuild from the log equals the live table in every column. Where it is
// written and read is a pointer, so that a rebuilt table can take over.
package projection

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/outbox"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/web"
	"factline.dev/replay"
)

// Names of the service, its schema, its group on the log and its read models.
const (
	Name              = "projection-service"
	Schema            = "projection"
	OrderGroup        = "projection-service.order-read-model.consumer"
	SummaryProjection = "order-summary"
	LineProjection    = "order-line"

	orderTopic = "oms.order.events.v1"
)

// Service is projection-service. Its methods are safe for concurrent use.
type Service struct {
	host   host.Host
	outbox *outbox.Outbox
	web    *web.Service
}

// New returns the service. It touches neither database nor broker.
func New(h host.Host) (*Service, error) {
	h = h.WithDefaults()
	ob, err := h.Outbox(Name)
	if err != nil {
		return nil, fmt.Errorf("projection: %w", err)
	}
	return &Service{host: h, outbox: ob, web: &web.Service{
		Name: Name, Schema: Schema, Pool: h.Pool, Wake: ob.Wake, Now: h.Now, Logger: h.Logger,
	}}, nil
}

// Migrate brings the service's database up to date.
func (s *Service) Migrate(ctx context.Context) error {
	return s.host.Migrate(ctx, Schema, migrationFiles())
}

// Run relays dead letters and consumes until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	relay, err := s.host.RelayWork(Name, s.outbox)
	if err != nil {
		return err
	}
	orders, err := s.host.BackgroundWork(Name, OrderGroup, s.outbox, subscription())
	if err != nil {
		return err
	}
	return host.RunAll(ctx, relay, orders)
}

func subscription() consumer.Subscription {
	return consumer.Subscription{Topic: orderTopic, Mode: consumer.Ordered, Bulk: applyLive, BulkTypes: types()}
}

// applyLive gives events of one tenant their effect on both read models.
func applyLive(ctx context.Context, tx pgx.Tx, ms []consumer.Message) error {
	summaryTable, lineTable, err := liveTables(ctx, tx)
	if err != nil {
		return err
	}
	events, err := decode(ms)
	if err != nil || len(events) == 0 {
		return err
	}
	if err := applySummaries(ctx, tx, summaryTable, events[0].TenantID, events); err != nil {
		return err
	}
	return applyLines(ctx, tx, lineTable, events[0].TenantID, events)
}

func liveTables(ctx context.Context, tx pgx.Tx) (summaryTable, lineTable pgx.Identifier, err error) {
	if summaryTable, err = liveTable(ctx, tx, SummaryProjection); err != nil {
		return nil, nil, err
	}
	lineTable, err = liveTable(ctx, tx, LineProjection)
	return summaryTable, lineTable, err
}

// Replays are the read models of this service as replay rebuilds them, beside
// the tables that are live in tx.
func Replays(ctx context.Context, tx pgx.Tx) ([]replay.Projection, error) {
	summaryTable, lineTable, err := liveTables(ctx, tx)
	if err != nil {
		return nil, err
	}
	return []replay.Projection{
		replayOf(SummaryProjection, summaryTable, "create_summaries", applySummaries),
		replayOf(LineProjection, lineTable, "create_lines", applyLines),
	}, nil
}

type applyTable func(ctx context.Context, tx pgx.Tx, table pgx.Identifier, tenant string, events []fact) error

func replayOf(name string, live pgx.Identifier, createSQL string, apply applyTable) replay.Projection {
	return replay.Projection{
		Name: name, Group: OrderGroup, ReplaySafe: true, Live: live,
		Sources: []replay.Source{{Topic: orderTopic, Mode: consumer.Ordered, Types: types()}},
		Create: func(ctx context.Context, tx pgx.Tx, table pgx.Identifier) error {
			return create(ctx, tx, createSQL, table)
		},
		Apply: func(ctx context.Context, tx pgx.Tx, table pgx.Identifier, ms []consumer.Message) error {
			events, err := decode(ms)
			if err != nil || len(events) == 0 {
				return err
			}
			return apply(ctx, tx, table, events[0].TenantID, events)
		},
		SeeAll: func(ctx context.Context, tx pgx.Tx) error { return database.SetTenant(ctx, tx, database.Platform) },
	}
}
