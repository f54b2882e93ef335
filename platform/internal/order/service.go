// Package order is order-service: the owner of the order's life, from the
// acceptance of a quote to the last line delivered.
//
// An order is captured once per quote, whether the acceptance arrives as an
// event, as a command, or as both at once. It is validated and activated in the
// same transaction, or where its validation failed, with the command that repeats
// it. The service consumes its own OrderActivated to submit an order, and requests
// each line when its dependencies are met; the orchestration service takes that
// over later through the same commands. Lines are fulfilled behind the port
// [Fulfilment].
package order

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/web"
)

// Names of the service, its schema and its groups on the log.
const (
	Name       = "order-service"
	Schema     = "orders"
	QuoteGroup = "order-service.quote-events.consumer"
	OrderGroup = "order-service.order-events.consumer"

	quoteTopic = "cpq.quote.events.v1"
	orderTopic = "oms.order.events.v1"

	timerWorkers = 2
)

// Service is order-service. Its methods are safe for concurrent use.
type Service struct {
	host       host.Host
	outbox     *outbox.Outbox
	web        *web.Service
	fulfilment Fulfilment
	requested  chan struct{}
}

// New returns the service. It touches neither database nor broker.
func New(h host.Host, fulfilment Fulfilment) (*Service, error) {
	h = h.WithDefaults()
	ob, err := h.Outbox(Name)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	return &Service{host: h, outbox: ob, fulfilment: fulfilment, requested: make(chan struct{}, 1), web: &web.Service{
		Name: Name, Schema: Schema, Pool: h.Pool, Wake: ob.Wake, Now: h.Now, Logger: h.Logger,
	}}, nil
}

// Migrate brings the service's database up to date.
func (s *Service) Migrate(ctx context.Context) error {
	return s.host.Migrate(ctx, Schema, migrationFiles())
}

// Run relays, consumes, fires timers and cleans up until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	relay, err := s.host.RelayWork(Name, s.outbox)
	if err != nil {
		return err
	}
	quotes, err := s.host.ConsumerWork(Name, QuoteGroup, s.outbox, s.quoteSubscription())
	if err != nil {
		return err
	}
	orders, err := s.host.BackgroundWork(Name, OrderGroup, s.outbox, s.orderSubscription())
	if err != nil {
		return err
	}
	works := []host.Work{relay, quotes, orders, s.web.SweepKeys, s.sweepTimers}
	for range timerWorkers {
		works = append(works, s.fireTimers)
	}
	return host.RunAll(ctx, works...)
}

func (s *Service) now() time.Time { return s.host.Now().UTC().Truncate(time.Millisecond) }

// quoteStates is the state that each event leaves a quote in. An event of
// quote-service that gets its contract later gets its line here then.
func quoteStates() map[string]string {
	return map[string]string{
		"QuoteDraftCreated": "DRAFT", "QuoteDraftUpdated": "DRAFT", "QuotePriced": "PRICED", "QuotePricingFailed": "DRAFT",
		"QuoteSubmitted": "SUBMITTED", "QuoteApprovalRequested": "PENDING_APPROVAL", "QuoteApproved": "APPROVED",
		"QuoteCancelled": "CANCELLED", "QuoteConverted": "CONVERTED", "QuoteConversionRejected": "CONVERSION_REJECTED",
	}
}

func (s *Service) quoteSubscription() consumer.Subscription {
	handlers := map[string]consumer.Handler{"QuoteAccepted": s.onQuoteAccepted}
	for eventType, state := range quoteStates() {
		handlers[eventType] = consumer.Handle(func(ctx context.Context, tx pgx.Tx, e envelope.Event[quoteFact]) error {
			return saveMirror(ctx, tx, e, state)
		})
	}
	return consumer.Subscription{Topic: quoteTopic, Mode: consumer.Ordered, Handlers: handlers}
}

func (s *Service) onQuoteAccepted(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	return consumer.Handle(func(ctx context.Context, tx pgx.Tx, e envelope.Event[quoteAccepted]) error {
		facts, err := findCapture(ctx, tx, e.TenantID, e.Payload)
		if err != nil {
			return err
		}
		fact, err := envelope.As[quoteFact](m.Raw)
		if err != nil {
			return err
		}
		if err := saveMirror(ctx, tx, fact, "ACCEPTED"); err != nil {
			return err
		}
		return s.captureEvent(ctx, tx, e, facts)
	})(ctx, tx, m)
}

func (s *Service) captureEvent(ctx context.Context, tx pgx.Tx, e envelope.Event[quoteAccepted], facts captureFacts) error {
	if facts.orderID != "" || facts.reasonCode != "" {
		return nil
	}
	refused, err := captureRules(e.Payload, facts.known, facts.creditHold)
	if err != nil {
		return consumer.Permanent(err)
	}
	if refused != nil {
		if err := s.refuse(ctx, tx, e.TenantID, e.Payload, *refused, e.EventID); err != nil {
			return err
		}
		return consumer.Rejected(fmt.Errorf("order: capture quote %s: %s", e.Payload.QuoteID, refused.reasonCode))
	}
	_, err = s.capture(ctx, tx, e.TenantID, serviceActor, e.Payload, facts.creditHold, e.EventID)
	return err
}

// capture stores the order of an accepted quote, as far as it gets without
// anybody else: a step that only this service takes needs no event between.
func (s *Service) capture(ctx context.Context, tx pgx.Tx, tenant, actor string, q quoteAccepted, creditHold bool, sourceID string) (*decision, error) {
	d := capture(tenant, actor, q, s.now(), sourceID)
	d.proceed(creditHold)
	batch := &pgx.Batch{}
	queueOrder(batch, d)
	captureRow{id: "ocap_" + envelope.NewID(), tenant: tenant, sourceEventID: sourceID, state: "CAPTURED", orderID: d.OrderID}.queue(batch, q, d)
	if err := send(ctx, tx, batch, d.OrderID); err != nil {
		return nil, err
	}
	return d, s.outbox.Append(ctx, tx, outboxEvents(d)...)
}

// refuse stores that an accepted quote gives no order, and tells others.
func (s *Service) refuse(ctx context.Context, tx pgx.Tx, tenant string, q quoteAccepted, r refusedCapture, sourceID string) error {
	d := &decision{now: s.now()}
	row := captureRow{id: "ocap_" + envelope.NewID(), tenant: tenant, sourceEventID: sourceID, state: "REJECTED", refused: r}
	batch := &pgx.Batch{}
	row.queue(batch, q, d)
	if err := send(ctx, tx, batch, "refused capture of "+q.QuoteID); err != nil {
		return err
	}
	return s.outbox.Append(ctx, tx, outbox.Event{
		Type: "OrderCaptureRejected", TenantID: tenant, AggregateID: q.QuoteID, OccurredAt: d.now,
		Payload: orderCaptureRejected{
			CaptureID: row.id, QuoteID: q.QuoteID, QuoteRevision: q.QuoteRevision, CustomerID: q.CustomerID, ReasonCode: r.reasonCode,
			Detail: r.detail, SourceEventID: sourceID, AcceptedBy: q.AcceptedBy, RejectedAt: envelope.FormatTime(d.now),
		},
	})
}

// ownEvent is what this service reads of its own events.
type ownEvent struct {
	OrderID string `json:"orderId"`
}

// orderSubscription needs no order: the step looks at the state, which was
// committed before its event.
func (s *Service) orderSubscription() consumer.Subscription {
	return consumer.Subscription{Topic: orderTopic, Mode: consumer.Unordered, Handlers: map[string]consumer.Handler{
		"OrderActivated": consumer.Handle(s.onOrderActivated),
	}}
}

func (s *Service) onOrderActivated(ctx context.Context, tx pgx.Tx, e envelope.Event[ownEvent]) error {
	o, err := find(ctx, tx, "lock_order", e.TenantID, e.Payload.OrderID)
	if err != nil {
		return err
	}
	d := decide(o, serviceActor, s.now(), e.EventID)
	if d.State == stateActive {
		d.submit()
		d.requestReady()
	}
	return s.store(ctx, tx, d)
}

// Complete applies what fulfilment delivered for lines of an order, within tx. A
// result that answers no open request changes nothing. actor is who reports it.
func (s *Service) Complete(ctx context.Context, tx pgx.Tx, tenant, orderID, actor string, results ...Result) error {
	o, err := find(ctx, tx, "lock_order", tenant, orderID)
	if err != nil {
		return err
	}
	d := decide(o, actor, s.now(), envelope.CauseFrom(ctx).CausationID)
	for _, r := range results {
		d.complete(r)
	}
	return s.store(ctx, tx, d)
}

// store writes what a decision found: rows, requests to fulfilment, events.
func (s *Service) store(ctx context.Context, tx pgx.Tx, d *decision) error {
	if len(d.events) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	queueOrder(batch, d)
	if err := send(ctx, tx, batch, d.OrderID); err != nil {
		return err
	}
	if len(d.requests) > 0 {
		if err := s.fulfilment.Request(ctx, tx, d.requests); err != nil {
			return err
		}
		s.wakeTimers()
	}
	return s.outbox.Append(ctx, tx, outboxEvents(d)...)
}
