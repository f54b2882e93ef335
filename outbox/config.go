package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
)

// Contracts decides where an event goes and whether it may. *contract.Catalogue
// is one. Rules: both methods are safe for concurrent use, need no network, and
// their errors never repeat the content of a payload. A type that it does not
// know is a [*contract.UnknownEventError].
type Contracts interface {
	// Route returns topic, record key, schemaRef, producer and aggregate type.
	Route(eventType string, eventVersion int, payload []byte) (contract.Route, error)
	// Validate checks a whole encoded event.
	Validate(eventType string, eventVersion int, value []byte) error
}

// Config is what [New] needs.
type Config struct {
	// Contracts decides topic, key and validity of every event. Required.
	Contracts Contracts
	// Producer is the service that appends. An event whose contract names
	// another producer is refused. Required.
	Producer string
	// Now gives OccurredAt where an event has none. Default time.Now.
	Now func() time.Time
	// MaxPending is how many events may wait to be published before Append
	// refuses more with a [*FullError]. It is compared once a second, so a burst
	// may go above it. What a consumer's handlers append and what is forwarded is
	// not refused: an outage would turn into their failures. Transactions that are
	// REPEATABLE READ or stricter go by what others counted. Default 0: no limit.
	MaxPending int64
	// Registerer takes the metric of events that Append refuses. Outboxes may
	// share one. Nil registers none.
	Registerer prometheus.Registerer
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var problems []error
	if c.Contracts == nil {
		problems = append(problems, errors.New("outbox.Config.Contracts: it is nil; pass the catalogue from contract.Load"))
	}
	if c.Producer == "" {
		problems = append(problems, errors.New("outbox.Config.Producer: it is empty; pass the name of the service"))
	}
	if c.MaxPending < 0 {
		problems = append(problems, fmt.Errorf("outbox.Config.MaxPending: %d is negative; use 0 for no limit", c.MaxPending))
	}
	return errors.Join(problems...)
}

// RelayConfig is what [NewRelay] needs. Zero fields take their defaults.
type RelayConfig struct {
	// Pool reaches the database whose outbox is relayed. The relay uses up to
	// five connections at once. A role that does not own schema factline needs,
	// beside the rights to its tables, SELECT on its sequences. Required.
	Pool *pgxpool.Pool
	// Brokers are the host:port addresses to start from. Required.
	Brokers []string
	// Outbox, when set, wakes the relay after a commit in the same process.
	// Nil leaves polling alone, which suffices.
	Outbox *Outbox
	// Instance names this relay in leases and logs. It must differ between
	// relays that run at once. Default host name and process id.
	Instance string
	// ChunkEvents is the most events of one lane in flight. Larger drains a
	// backlog faster and takes more memory: about lanes × ChunkEvents × event
	// size × 2. Default 2000.
	ChunkEvents int
	// ChunkBytes ends a chunk early, so that large events cannot fill memory.
	// Default 4 MiB.
	ChunkBytes int
	// PollMin and PollMax bound the pause between two looks at the outbox without
	// a wake-up. It starts at PollMin after events of which nobody told, and
	// doubles up to PollMax with each look that finds nothing. Default 2ms and
	// 50ms.
	PollMin, PollMax time.Duration
	// LeaseTTL is how long a lane stays this relay's without renewal. Shorter
	// takes over faster from a crash; longer bears a slower database. A relay
	// that joins or stops cleanly waits for no lease. Default 10s.
	LeaseTTL time.Duration
	// StallAfter is when a lane in flight without an acknowledgement is
	// reported as stalled. It is only reported: an unacknowledged chunk is
	// never given up. Default 120s.
	StallAfter time.Duration
	// DrainTimeout is how long Run waits after cancellation for chunks in
	// flight. Default 10s.
	DrainTimeout time.Duration
	// Retention is how long published events stay in the table. Partitions
	// older than that and wholly published are dropped. Default 7 days.
	// Negative keeps them for ever.
	Retention time.Duration
	// Producer is the conservative baseline of every record sent.
	Producer ProducerConfig
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// Registerer takes the relay's metrics. Nil registers none.
	Registerer prometheus.Registerer
	// Hooks may implement BeforePublishHook, AfterPublishHook. Nil has none.
	Hooks any
	// ClientOptions are passed on to the Kafka client, for TLS and SASL. Acks,
	// retries, deadlines, linger, buffers and partitioner are overridden; options that
	// take away idempotence or ask for transactions are refused by Run.
	ClientOptions []kgo.Opt
}

// ProducerConfig is the part of the producer baseline that may be changed.
// Acks=all, idempotence, unlimited retries and the murmur2 partitioner may not,
// and there is no linger: a chunk is flushed whole.
type ProducerConfig struct {
	// MaxBatchBytes bounds one batch and must hold the largest event with its
	// headers. Default 1 MiB, the broker's own limit.
	MaxBatchBytes int32
	// RequestTimeout bounds one produce request; an unanswered one is retried.
	// Default 30s.
	RequestTimeout time.Duration
	// Compression is "zstd", "lz4", "snappy", "gzip" or "none". Default "zstd".
	Compression string
}

// BeforePublishHook is called with the id of each event before it is sent. It
// exists for fault injection; a hook that blocks blocks the relay.
type BeforePublishHook interface{ BeforePublish(eventID string) }

// AfterPublishHook is called with the id of each event after it was
// acknowledged and before its receipt is recorded. It exists for fault
// injection; a hook that blocks blocks the relay.
type AfterPublishHook interface{ AfterPublish(eventID string) }

// WithDefaults returns c with every unset field at its default: what really
// runs, and what "factline config show" prints.
func (c RelayConfig) WithDefaults() RelayConfig {
	if c.Instance == "" {
		host, _ := os.Hostname()
		c.Instance = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	c.ChunkEvents = cmp.Or(c.ChunkEvents, 2000)
	c.ChunkBytes = cmp.Or(c.ChunkBytes, 4<<20)
	c.PollMin = cmp.Or(c.PollMin, 2*time.Millisecond)
	c.PollMax = cmp.Or(c.PollMax, 50*time.Millisecond)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 10*time.Second)
	c.StallAfter = cmp.Or(c.StallAfter, 120*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	c.Producer.MaxBatchBytes = cmp.Or(c.Producer.MaxBatchBytes, 1<<20)
	c.Producer.RequestTimeout = cmp.Or(c.Producer.RequestTimeout, 30*time.Second)
	c.Producer.Compression = cmp.Or(c.Producer.Compression, "zstd")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c RelayConfig) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("outbox.RelayConfig.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Pool == nil {
		refuse("Pool", "it is nil; pass the pool of the service's database")
	}
	if len(c.Brokers) == 0 {
		refuse("Brokers", "it is empty; pass at least one host:port")
	}
	if c.ChunkEvents < 1 || c.ChunkEvents > 100_000 {
		refuse("ChunkEvents", "%d is outside 1 to 100000", c.ChunkEvents)
	}
	if c.ChunkBytes < 1<<20 {
		refuse("ChunkBytes", "%d is below 1 MiB, the largest event with its headers", c.ChunkBytes)
	}
	if c.PollMin < 0 || c.PollMax < c.PollMin {
		refuse("PollMax", "%s is below PollMin %s", c.PollMax, c.PollMin)
	}
	if c.LeaseTTL < time.Second {
		refuse("LeaseTTL", "%s is below 1s, too short to renew in time", c.LeaseTTL)
	}
	if c.Producer.MaxBatchBytes < 1<<20 {
		refuse("Producer.MaxBatchBytes", "%d is below 1 MiB, the largest event with its headers", c.Producer.MaxBatchBytes)
	}
	if c.Producer.RequestTimeout < time.Second {
		refuse("Producer.RequestTimeout", "%s is below 1s; the broker needs time to replicate", c.Producer.RequestTimeout)
	}
	if _, ok := compressionCodec(c.Producer.Compression); !ok {
		refuse("Producer.Compression", "%q is unknown; use zstd, lz4, snappy, gzip or none", c.Producer.Compression)
	}
	return errors.Join(problems...)
}
