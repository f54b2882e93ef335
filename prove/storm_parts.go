package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/prove/history"
	"factline.dev/prove/workload"
)

const (
	stormTenant = "storm"
	// amountBooked is what a handler appends for each event.
	amountBooked = "AmountBooked"
	// stormLease is short, so that a relay that is cut off loses its lanes.
	stormLease = 2 * time.Second

	stormRelays  = 2
	stormMembers = 3
	stormWriters = 16
	// stormPartitions are those of each topic.
	stormPartitions = 6
)

// stormRoutes are the contracts of a storm: any payload with its account.
type stormRoutes struct{ postings, bookings string }

// Route implements outbox.Contracts.
func (r stormRoutes) Route(eventType string, _ int, payload []byte) (contract.Route, error) {
	var p workload.Posting
	if err := json.Unmarshal(payload, &p); err != nil || p.AccountID == "" {
		return contract.Route{}, errors.Join(errors.New("prove: route an event: it has no accountId"), err)
	}
	if eventType == amountBooked {
		return contract.Route{
			Topic: r.bookings, Key: p.AccountID, SchemaRef: "schema://storm.booking.events/AmountBooked/1",
			Producer: history.StormSink, AggregateType: "Ledger",
		}, nil
	}
	return contract.Route{
		Topic: r.postings, Key: p.AccountID, SchemaRef: "schema://storm.posting.events/AmountPosted/1",
		Producer: history.StormSource, AggregateType: "Account",
	}, nil
}

// Validate implements outbox.Contracts.
func (stormRoutes) Validate(string, int, []byte) error { return nil }

// part is a relay or a member that runs.
type part struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	// ended is when run returned.
	ended time.Time
}

func (s *storm) run(ctx context.Context, name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &part{name: name, cancel: cancel, done: make(chan struct{})}
	s.parts = append(s.parts, p)
	go func() {
		defer close(p.done)
		p.err = run(ctx)
		p.ended = time.Now()
	}()
}

// ended names the parts that do not run any more.
func (s *storm) endedParts() (names []string) {
	for _, p := range s.parts {
		select {
		case <-p.done:
			names = append(names, fmt.Sprintf("%s ended by itself: %v", p.name, p.err))
		default:
		}
	}
	return names
}

// stop tells every part to end and says how each did.
func (s *storm) stop(patience time.Duration) map[string]string {
	endings := make(map[string]string)
	for _, text := range s.endedParts() {
		endings[text] = "it was not told to"
	}
	for _, p := range s.parts {
		p.cancel()
	}
	late, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range s.parts {
		endings[p.name] = p.await(late, patience)
	}
	return endings
}

// await says how the part ended, "" where that is as it should.
func (p *part) await(late context.Context, patience time.Duration) string {
	select {
	case <-p.done:
	case <-late.Done():
		select {
		case <-p.done: // both at once
		default:
			return fmt.Sprintf("it did not end within %s", patience)
		}
	}
	if p.err != nil {
		return p.err.Error()
	}
	return ""
}

// slowest says which part took the longest to stop.
func (s *storm) slowest(told time.Time) string {
	if len(s.parts) == 0 {
		return "nothing ran"
	}
	last := slices.MaxFunc(s.parts, func(a, b *part) int { return a.ended.Compare(b.ended) })
	return fmt.Sprintf("%s took longest, %s", last.name, last.ended.Sub(told).Round(time.Millisecond))
}

func (s *storm) newOutbox(service string) (*outbox.Outbox, error) {
	return outbox.New(outbox.Config{Contracts: stormRoutes{s.postings(), s.bookings()}, Producer: service})
}

func relayName(service string, n int) string { return fmt.Sprintf("relay %d of %s", n, service) }

func (s *storm) startRelay(ctx context.Context, service string, n int) error {
	name := relayName(service, n)
	c := s.newClient(name, toDatabase, toBroker)
	pool, err := c.pool(ctx, s.urls[service], 8)
	if err != nil {
		return err
	}
	r, err := outbox.NewRelay(outbox.RelayConfig{
		Pool: pool, Brokers: s.brokers, Instance: fmt.Sprintf("%s-%d", service, n), LeaseTTL: stormLease,
		ClientOptions: []kgo.Opt{c.dialer()}, Logger: s.logger.With("part", name),
	})
	if err != nil {
		return err
	}
	s.run(ctx, name, r.Run)
	return nil
}

func memberName(n int) string { return fmt.Sprintf("member %d", n) }

func (s *storm) startMember(ctx context.Context, n int) error {
	name := memberName(n)
	c := s.newClient(name, toDatabase, toBroker)
	pool, err := c.pool(ctx, s.urls[history.StormSink], 8)
	if err != nil {
		return err
	}
	ob, err := s.newOutbox(history.StormSink)
	if err != nil {
		return err
	}
	b := &booker{outbox: ob, dice: rand.New(rand.NewPCG(s.cfg.Seed, uint64(n)))} //nolint:gosec // a test's dice, no secret
	r, err := consumer.New(consumer.Config{
		Group: s.group(), Service: history.StormSink, Pool: pool, Brokers: s.brokers, Outbox: ob,
		Subscriptions: []consumer.Subscription{{Topic: s.postings(), Handlers: map[string]consumer.Handler{workload.AmountPosted: consumer.Handle(b.book)}}},
		// An event that fails twice must not wait a minute for its tier: the storm ends.
		InPlaceAttempts: 5,
		ClientOptions:   c.membership(s.session, &s.assignments), Logger: s.logger.With("part", name),
	})
	if err != nil {
		return err
	}
	s.run(ctx, name, r.Run)
	return nil
}

// booker is the handler: it adds up and appends an event in turn.
type booker struct {
	outbox *outbox.Outbox
	mu     sync.Mutex
	dice   *rand.Rand
}

var errStormHandler = errors.New("prove: this attempt of the handler fails on purpose")

func (b *booker) book(ctx context.Context, tx pgx.Tx, e envelope.Event[workload.Posting]) error {
	p := e.Payload
	if _, err := tx.Exec(ctx, statement("storm_book"), p.AccountID, e.AggregateVersion, e.EventID, p.Amount); err != nil {
		return err
	}
	if err := b.outbox.Append(ctx, tx, outbox.Event{Type: amountBooked, AggregateID: p.AccountID, Payload: p}); err != nil {
		return err
	}
	if b.fails() {
		return errStormHandler
	}
	return nil
}

// fails lets one of 200 attempts fail: five in a row, which would send an
// event to its retry tier, do not happen.
func (b *booker) fails() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dice.IntN(200) == 0
}

func (s *storm) newWriters(ctx context.Context) (*workload.Writers, error) {
	c := s.newClient("writers", toDatabase)
	var pool *pgxpool.Pool
	pool, err := c.pool(ctx, s.urls[history.StormSource], stormWriters)
	if err != nil {
		return nil, err
	}
	ob, err := s.newOutbox(history.StormSource)
	return &workload.Writers{
		Pool: pool, Outbox: ob, Tenant: stormTenant, Accounts: s.cfg.Aggregates, Rate: s.cfg.Rate, Writers: stormWriters, Seed: s.cfg.Seed,
	}, err
}
