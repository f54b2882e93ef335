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

// quoteFact is what a mirror learns from an event of a quote. What the event does
// not say stays empty.
type quoteFact struct {
	quoteID      string
	revision     int
	snapshotHash string
	approvalMode approvalMode
}

// mirror handles an event that leaves a quote in a state.
func mirror[P any](state string, fact func(P) quoteFact) consumer.Handler {
	return consumer.Handle(func(ctx context.Context, tx pgx.Tx, e envelope.Event[P]) error {
		return saveMirror(ctx, tx, e.TenantID, e.AggregateVersion, fact(e.Payload), state)
	})
}

// quoteSubscription mirrors every event of a quote.
func (s *Service) quoteSubscription() consumer.Subscription {
	bare := func(quoteID string, revision int) quoteFact { return quoteFact{quoteID: quoteID, revision: revision} }
	return consumer.Subscription{Topic: quoteTopic, Mode: consumer.Ordered, Handlers: map[string]consumer.Handler{
		"QuoteDraftCreated":  mirror("DRAFT", func(p quoteDraftCreated) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteDraftUpdated":  mirror("DRAFT", func(p quoteDraftUpdated) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuotePriced":        mirror("PRICED", func(p quotePriced) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuotePricingFailed": mirror("DRAFT", func(p quotePricingFailed) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteSubmitted": mirror("SUBMITTED", func(p quoteSubmitted) quoteFact {
			return quoteFact{p.QuoteID, p.QuoteRevision, p.CommercialSnapshotHash, ""}
		}),
		"QuoteApprovalRequested": mirror("PENDING_APPROVAL", func(p quoteApprovalRequested) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteApproved": mirror("APPROVED", func(p quoteApproved) quoteFact {
			return quoteFact{p.QuoteID, p.QuoteRevision, p.CommercialSnapshotHash, p.ApprovalMode}
		}),
		"QuoteRejected":           mirror("REJECTED", func(p quoteRejected) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteExpired":            mirror("EXPIRED", func(p quoteExpired) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteRevised":            mirror("DRAFT", func(p quoteRevised) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteAccepted":           consumer.Handle(s.onQuoteAccepted),
		"QuoteCancelled":          mirror("CANCELLED", func(p quoteCancelled) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteConverted":          mirror("CONVERTED", func(p quoteConverted) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
		"QuoteConversionRejected": mirror("CONVERSION_REJECTED", func(p quoteConversionRejected) quoteFact { return bare(p.QuoteID, p.QuoteRevision) }),
	}}
}

func (s *Service) onQuoteAccepted(ctx context.Context, tx pgx.Tx, e envelope.Event[quoteAccepted]) error {
	q := accepted(e.Payload)
	facts, err := findCapture(ctx, tx, e.TenantID, q)
	if err != nil {
		return err
	}
	fact := quoteFact{quoteID: q.QuoteID, revision: q.QuoteRevision, snapshotHash: q.CommercialSnapshotHash}
	if err := saveMirror(ctx, tx, e.TenantID, e.AggregateVersion, fact, "ACCEPTED"); err != nil {
		return err
	}
	return s.captureEvent(ctx, tx, e.TenantID, e.EventID, q, facts)
}

func (s *Service) captureEvent(ctx context.Context, tx pgx.Tx, tenant, eventID string, q acceptedQuote, facts captureFacts) error {
	if facts.orderID != "" || facts.reasonCode != "" {
		return nil
	}
	refused, err := captureRules(q, facts.known, facts.creditHold)
	if err != nil {
		return consumer.Permanent(err)
	}
	if refused != nil {
		if err := s.refuse(ctx, tx, tenant, q, *refused, eventID); err != nil {
			return err
		}
		return consumer.Rejected(fmt.Errorf("order: capture quote %s: %s", q.QuoteID, refused.reasonCode))
	}
	_, err = s.capture(ctx, tx, tenant, serviceActor, q, facts.creditHold, eventID)
	return err
}

// capture stores the order of an accepted quote, as far as it gets without
// anybody else: a step that only this service takes needs no event between.
func (s *Service) capture(ctx context.Context, tx pgx.Tx, tenant, actor string, q acceptedQuote, creditHold bool, sourceID string) (*decision, error) {
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
func (s *Service) refuse(ctx context.Context, tx pgx.Tx, tenant string, q acceptedQuote, r refusedCapture, sourceID string) error {
	d := &decision{now: s.now()}
	row := captureRow{id: "ocap_" + envelope.NewID(), tenant: tenant, sourceEventID: sourceID, state: "REJECTED", refused: r}
	batch := &pgx.Batch{}
	row.queue(batch, q, d)
	if err := send(ctx, tx, batch, "refused capture of "+q.QuoteID); err != nil {
		return err
	}
	return s.outbox.Append(ctx, tx, outbox.Event{
		Type: orderCaptureRejected{}.EventType(), TenantID: tenant, AggregateID: q.QuoteID, OccurredAt: d.now,
		Payload: orderCaptureRejected{
			CaptureID: row.id, QuoteID: q.QuoteID, QuoteRevision: q.QuoteRevision, CustomerID: q.CustomerID, ReasonCode: orderCaptureRejectedReasonCode(r.reasonCode),
			Detail: r.detail, SourceEventID: sourceID, AcceptedBy: q.AcceptedBy, RejectedAt: d.now,
		},
	})
}

// orderSubscription needs no order: the step looks at the state, which was
// committed before its event.
func (s *Service) orderSubscription() consumer.Subscription {
	return consumer.Subscription{Topic: orderTopic, Mode: consumer.Unordered, Handlers: map[string]consumer.Handler{
		"OrderActivated": consumer.Handle(s.onOrderActivated),
	}}
}

func (s *Service) onOrderActivated(ctx context.Context, tx pgx.Tx, e envelope.Event[orderActivated]) error {
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
