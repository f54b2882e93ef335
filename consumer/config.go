package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"factline.dev/contract"
	"factline.dev/outbox"
)

// Contracts is what a runner asks about the events it receives.
// *contract.Catalogue is one. Rules: the methods are safe for concurrent use,
// need no network, and their errors never repeat the content of an event. An
// unknown type or version is a *contract.UnknownEventError.
type Contracts interface {
	// Topic returns the contract of a topic and whether there is one.
	Topic(name string) (*contract.Topic, bool)
	// Validate checks a whole event as it stands on the wire.
	Validate(eventType string, eventVersion int, value []byte) error
}

// Config is what [New] needs. Zero fields take their defaults.
type Config struct {
	// Group is the consumer group and the name of the consumer in every table:
	// <service>.<topic or purpose>.consumer, in lower case. It must never
	// change: another name starts over at the beginning. Required.
	Group string
	// Service is the service that owns the group. Required.
	Service string
	// Pool reaches the consumer's own database, which holds its effects and the
	// tables of migrate.Up. Chunks use up to MaxConcurrentChunks connections at
	// a time; the sweep, an assignment and each partition that counts a failed
	// attempt use one more for a single statement. They wait for one where the
	// pool has none. Required.
	Pool *pgxpool.Pool
	// Brokers are the host:port addresses to start from. Required.
	Brokers []string
	// Outbox is where handlers append and dead letters are forwarded, in the
	// same database as Pool. Required.
	Outbox *outbox.Outbox
	// Contracts checks what is received. Nil checks the envelope alone.
	Contracts Contracts
	// Subscriptions are the topics to read, each once. Required.
	Subscriptions []Subscription
	// MaxChunkRecords is the most records in one transaction, of one partition or
	// of several of a topic; 8 MiB of one partition end it as well. Larger is
	// faster and repeats more after a crash.
	// Default 2000, at most 10000.
	MaxChunkRecords int
	// MaxConcurrentChunks is the most transactions at once. Default 4, but one less
	// than the pool has connections, which counts the attempts of events that failed.
	MaxConcurrentChunks int
	// MaxPartitionChunks is how many of them may be at work on one partition: later
	// records whose keys are in no transaction under way go into another one, up to
	// MaxQueuedRecords ahead of the lowest record that is not settled. Slow handlers
	// then delay their own keys alone. 1 settles a partition chunk after chunk.
	// Default 2.
	MaxPartitionChunks int
	// Linger is how long a record may wait at the broker for others to come along.
	// Set it where nobody waits for the effect, as with a read model: at a low rate
	// one transaction then takes what would have been many. 64 KiB end the wait.
	// Default 0, no wait. At most 5s.
	Linger time.Duration
	// MaxQueuedRecords is the most records of a partition read ahead; beyond it, or
	// 16 MiB, or its part of the 128 MiB that all partitions of a runner have, the
	// partition's fetching pauses. What was fetched by then comes on top: of each
	// broker at most 2 MiB, of each partition 128 KiB, as compressed, or one batch.
	// Default 4 × MaxChunkRecords.
	MaxQueuedRecords int
	// InPlaceAttempts is how often a failing event is tried at once, with
	// BackoffMin in between, before it waits for the tiers of its topic's retry
	// chain, which have one attempt each. Its partition waits during these alone.
	// The count survives crashes. Default 2.
	InPlaceAttempts int
	// BackoffMin and BackoffMax bound the pause before the next attempt in place.
	// It doubles and carries up to a fifth of jitter. What database or broker failed
	// is tried again after at most a second, however long BackoffMax is. Default
	// 10ms and 30s.
	BackoffMin, BackoffMax time.Duration
	// CommitInterval is how often finished offsets go to Kafka. Crashing in
	// between repeats deliveries, not effects. Default 100ms.
	CommitInterval time.Duration
	// SweepInterval is how often held events are looked at whose turn came
	// without a new record, for instance after a skip, and by which another
	// instance's failed events are seen. Due ones are tried when they are due.
	// Default 1s.
	SweepInterval time.Duration
	// GapAlertAfter is how long a missing version may hold events before it is
	// logged as an error and counted. Default 15m. Negative never alerts.
	GapAlertAfter time.Duration
	// StallAfter is how long a partition may have work without a transaction that
	// commits before it is logged as an error and counted. Set it above what the
	// slowest chunk takes. Default 2m. Negative never reports.
	StallAfter time.Duration
	// DrainTimeout is how long Run waits after cancellation, and a rebalance for
	// revoked partitions, until the transactions under way have ended. Longer
	// ones are cancelled and repeated elsewhere. Default 10s.
	DrainTimeout time.Duration
	// Tenants says whether the service may process a tenant's events; an event
	// of another one is a dead letter with the class TENANT_VIOLATION. Nil
	// allows all.
	Tenants func(tenantID string) bool
	// SecurityAlert is told, in the transaction that gives the event up, of every
	// event of a tenant that the service may not process and of every one that a
	// handler called [Unauthorized]. What it appends to the outbox commits with
	// it, ctx carries the event as the cause, and factline.tenant is the tenant whose
	// event it claims to be: row-level security shows the hook that one's rows. An
	// error runs the transaction again. Nil leaves it at the log and the metric, which are there in any case.
	SecurityAlert func(ctx context.Context, tx pgx.Tx, a Alert) error
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics. Runners of one process may share one. Nil
	// registers none.
	Registerer prometheus.Registerer
	// TracerProvider makes a span per handled event, child of the span that
	// published it. Nil makes none.
	TracerProvider trace.TracerProvider
	// Now gives the times of rows and dead letters, and says when a failed event is
	// due. Set it in tests alone. Default the database's clock, on which all members
	// of the group agree, whatever their hosts' clocks say.
	Now func() time.Time
	// Hooks may implement AfterEffectHook. Nil has none.
	Hooks any
	// ClientOptions are passed on to the Kafka client, for TLS and SASL, or for
	// larger fetches. Those that the guarantees rest on (group, offsets, commits)
	// are overridden.
	ClientOptions []kgo.Opt
}

// AfterEffectHook is called with the id of each event whose effect was
// committed in the database, before its offset is committed to Kafka. It exists
// for fault injection; a hook that blocks blocks the partition.
type AfterEffectHook interface{ AfterEffect(group, eventID string) }

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	c.MaxChunkRecords = cmp.Or(c.MaxChunkRecords, 2000)
	c.MaxConcurrentChunks = cmp.Or(c.MaxConcurrentChunks, c.defaultConcurrency())
	c.MaxPartitionChunks = cmp.Or(c.MaxPartitionChunks, 2)
	c.MaxQueuedRecords = cmp.Or(c.MaxQueuedRecords, 4*c.MaxChunkRecords)
	c.InPlaceAttempts = cmp.Or(c.InPlaceAttempts, 2)
	c.BackoffMin = cmp.Or(c.BackoffMin, 10*time.Millisecond)
	c.BackoffMax = cmp.Or(c.BackoffMax, 30*time.Second)
	c.CommitInterval = cmp.Or(c.CommitInterval, 100*time.Millisecond)
	c.SweepInterval = cmp.Or(c.SweepInterval, time.Second)
	c.GapAlertAfter = cmp.Or(c.GapAlertAfter, 15*time.Minute)
	c.StallAfter = cmp.Or(c.StallAfter, 2*time.Minute)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Tenants == nil {
		c.Tenants = func(string) bool { return true }
	}
	return c
}

func (c Config) defaultConcurrency() int {
	if c.Pool == nil {
		return 4
	}
	return max(1, min(4, int(c.Pool.Config().MaxConns)-1))
}

type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("consumer.Config.%s: %s", field, fmt.Sprintf(format, args...)))
}

func (c Config) validate() error {
	var p problems
	if reason := checkGroup(c.Group, c.Service); reason != "" {
		p.add("Group", "%s", reason)
	}
	if c.Service == "" {
		p.add("Service", "it is empty; pass the name of the service")
	}
	if c.Pool == nil {
		p.add("Pool", "it is nil; pass the pool of the consumer's own database, which must hold its effects")
	}
	if len(c.Brokers) == 0 {
		p.add("Brokers", "it is empty; pass at least one host:port")
	}
	if c.Outbox == nil {
		p.add("Outbox", "it is nil; pass outbox.New of the same database, dead letters leave through it")
	}
	c.validateNumbers(&p)
	c.validateSubscriptions(&p)
	return errors.Join(p...)
}

func (c Config) validateNumbers(p *problems) {
	positive := func(field string, n, most int) {
		if n < 1 || n > most {
			p.add(field, "%d is outside 1 to %d", n, most)
		}
	}
	if c.Pool != nil && c.Pool.Config().MaxConns < 2 {
		p.add("Pool", "it opens one connection at most; a failed event needs another, to count its attempts")
	}
	positive("MaxChunkRecords", c.MaxChunkRecords, 10_000)
	positive("MaxConcurrentChunks", c.MaxConcurrentChunks, 1000)
	positive("MaxPartitionChunks", c.MaxPartitionChunks, 1000)
	positive("InPlaceAttempts", c.InPlaceAttempts, 1000)
	if c.Linger < 0 || c.Linger > 5*time.Second {
		p.add("Linger", "%s is outside 0 to 5s", c.Linger)
	}
	if c.MaxQueuedRecords < c.MaxChunkRecords {
		p.add("MaxQueuedRecords", "%d is below MaxChunkRecords %d; a chunk would never fill", c.MaxQueuedRecords, c.MaxChunkRecords)
	}
	if c.BackoffMin < 0 || c.BackoffMax < c.BackoffMin {
		p.add("BackoffMax", "%s is below BackoffMin %s, or one is negative", c.BackoffMax, c.BackoffMin)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"CommitInterval", c.CommitInterval}, {"SweepInterval", c.SweepInterval}, {"DrainTimeout", c.DrainTimeout}} {
		if d.value < 0 {
			p.add(d.field, "%s is negative", d.value)
		}
	}
}

func (c Config) validateSubscriptions(p *problems) {
	if len(c.Subscriptions) == 0 {
		p.add("Subscriptions", "it is empty; a runner needs a topic")
	}
	seen := make(map[string]bool)
	for i, s := range c.Subscriptions {
		at := fmt.Sprintf("Subscriptions[%d].", i)
		if seen[s.Topic] {
			p.add(at+"Topic", "%s appears twice; put all handlers of a topic into one subscription", s.Topic)
		}
		seen[s.Topic] = true
		s.validate(p, at, c.Contracts)
	}
}

func (s Subscription) validate(p *problems, at string, contracts Contracts) {
	if s.Topic == "" {
		p.add(at+"Topic", "it is empty")
	} else if contracts != nil {
		if _, ok := contracts.Topic(s.Topic); !ok {
			p.add(at+"Topic", "%s is unknown to the catalogue; see \"factline contracts list\"", s.Topic)
		}
	}
	if s.DeadLetterTopic != "" && !strings.Contains(s.DeadLetterTopic, ".dlt.") {
		p.add(at+"DeadLetterTopic", "%s does not contain \".dlt.\", by which the relay knows the topics that take letters larger than an event; name it like %s", s.DeadLetterTopic, deadLetterTopic(s.Topic))
	}
	for i, d := range s.RetryTiers {
		if d <= 0 || (i > 0 && d <= s.RetryTiers[i-1]) {
			p.add(at+"RetryTiers", "%s is not longer than what stands before it; begin with the shortest pause", d)
		}
	}
	if s.UnknownVersionWait < 0 {
		p.add(at+"UnknownVersionWait", "%s is negative", s.UnknownVersionWait)
	}
	if s.Mode < Ordered || s.Mode > Latest {
		p.add(at+"Mode", "%d is no mode; use Ordered, Unordered or Latest", s.Mode)
	}
	if (s.Bulk == nil) != (len(s.BulkTypes) == 0) {
		p.add(at+"Bulk", "Bulk and BulkTypes need each other")
	}
	if len(s.Handlers) == 0 && s.Bulk == nil {
		p.add(at+"Handlers", "it is empty and there is no Bulk; a subscription needs something to do")
	}
	s.validateTypes(p, at, contracts)
}

func (s Subscription) validateTypes(p *problems, at string, contracts Contracts) {
	for eventType, h := range s.Handlers {
		field := fmt.Sprintf("%sHandlers[%q]", at, eventType)
		switch {
		case h == nil:
			p.add(field, "it is nil")
		case eventType == "" && s.Mode != Latest:
			p.add(field, "tombstones are delivered in mode Latest alone")
		case eventType != "":
			checkType(p, field, eventType, contracts)
		}
	}
	for i, eventType := range s.BulkTypes {
		field := fmt.Sprintf("%sBulkTypes[%d]", at, i)
		if s.Handlers[eventType] != nil {
			p.add(field, "%s has a handler of its own as well; choose one", eventType)
		}
		checkType(p, field, eventType, contracts)
	}
}

// checkType refuses a type that the catalogue does not know in any version:
// its handler would never be called.
func checkType(p *problems, field, eventType string, contracts Contracts) {
	if contracts == nil {
		return
	}
	var unknown *contract.UnknownEventError
	if errors.As(contracts.Validate(eventType, 1, nil), &unknown) && !unknown.KnownType() {
		p.add(field, "%s", unknown)
	}
}
