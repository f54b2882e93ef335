// Package quote is quote-service: the owner of the commercial commitment, from
// a draft to the acceptance and its conversion into an order.
//
// Configurations, price books, policies and entitlements are mirrors of what
// other services own. Until those exist the mirrors are seeded, and drafting
// prices from them at once instead of asking pricing-service.
package quote

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/web"
)

// Names of the service, its schema and its group on the log.
const (
	Name       = "quote-service"
	Schema     = "quote"
	OrderGroup = "quote-service.order-events.consumer"

	orderTopic = "oms.order.events.v1"
)

// Service is quote-service. Its methods are safe for concurrent use.
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
		return nil, fmt.Errorf("quote: %w", err)
	}
	return &Service{host: h, outbox: ob, web: &web.Service{
		Name: Name, Schema: Schema, Pool: h.Pool, Wake: ob.Wake, Now: h.Now, Logger: h.Logger,
	}}, nil
}

// Migrate brings the service's database up to date.
func (s *Service) Migrate(ctx context.Context) error {
	return s.host.Migrate(ctx, Schema, migrationFiles())
}

// Run relays, consumes and cleans up until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	relay, err := s.host.RelayWork(Name, s.outbox)
	if err != nil {
		return err
	}
	orders, err := s.host.BackgroundWork(Name, OrderGroup, s.outbox, s.subscription())
	if err != nil {
		return err
	}
	return host.RunAll(ctx, relay, orders, s.web.SweepKeys)
}

func (s *Service) subscription() consumer.Subscription {
	return consumer.Subscription{Topic: orderTopic, Mode: consumer.Unordered, Handlers: map[string]consumer.Handler{
		"OrderCaptured":        consumer.Handle(s.onOrderCaptured),
		"OrderCaptureRejected": consumer.Handle(s.onOrderCaptureRejected),
	}}
}

func (s *Service) onOrderCaptured(ctx context.Context, tx pgx.Tx, e envelope.Event[orderCaptured]) error {
	return s.onOrder(ctx, tx, e.TenantID, e.Payload.QuoteID, func(d *decision) (bool, error) {
		return d.converted(e.Payload.OrderID)
	})
}

func (s *Service) onOrderCaptureRejected(ctx context.Context, tx pgx.Tx, e envelope.Event[orderCaptureRejected]) error {
	return s.onOrder(ctx, tx, e.TenantID, e.Payload.QuoteID, func(d *decision) (bool, error) {
		return true, d.conversionRejected(e.Payload)
	})
}

// onOrder applies what became of an accepted quote. A quote that does not fit is
// a rejection: the event is a fact and cannot be sent back.
func (s *Service) onOrder(ctx context.Context, tx pgx.Tx, tenant, quoteID string, apply func(*decision) (bool, error)) error {
	q, err := find(ctx, tx, "lock_quote", tenant, quoteID)
	if isNotFound(err) {
		return consumer.Rejected(fmt.Errorf("quote: apply order event: quote %s does not exist in its tenant", quoteID))
	}
	if err != nil {
		return err
	}
	d := decide(q, serviceActor, truncate(s.host.Now()))
	changed, err := apply(d)
	switch {
	case err != nil:
		return consumer.Rejected(err)
	case !changed:
		return nil
	}
	return s.store(ctx, tx, d)
}
