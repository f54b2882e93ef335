package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
)

// Contracts is what a replay asks about topics, events and groups.
// *contract.Catalogue is one. Rules: the methods are safe for concurrent use,
// need no network, and their errors never repeat the content of an event.
type Contracts interface {
	Topic(name string) (*contract.Topic, bool)
	Event(eventType string, version int) (*contract.Event, bool)
	Group(name string) (*contract.Group, bool)
	Validate(eventType string, eventVersion int, value []byte) error
}

// Source is one topic that a projection is built from.
type Source struct {
	// Topic is the full name of the topic. Required.
	Topic string
	// Mode must be the live subscription's. [consumer.Latest] is refused.
	Mode consumer.Mode
	// Types are the event types that are applied; others only advance the gate,
	// as in the live group. Required.
	Types []string
}

// CreateFunc makes the empty table, with the columns, the primary key and the
// policies of the live one.
type CreateFunc func(ctx context.Context, tx pgx.Tx, table pgx.Identifier) error

// ApplyFunc gives events of one tenant, in log order, their effect on the table
// within tx: the live group's own bulk handler, told where to write. ctx carries
// a cause with the tenant; in SQL the setting factline.tenant is the tenant.
type ApplyFunc func(ctx context.Context, tx pgx.Tx, table pgx.Identifier, ms []consumer.Message) error

// Projection is a read model and how it is built.
type Projection struct {
	// Name is what people call it, such as order-summary. Required.
	Name string
	// Group is the live consumer group. Required.
	Group string
	// ReplaySafe declares that Apply changes nothing but the table it is given
	// and takes every time and id from the event. False is refused.
	ReplaySafe bool
	// Sources are the topics, each once. Required.
	Sources []Source
	// Live is the table that the live group writes, schema and name. It needs a
	// primary key. Required.
	Live pgx.Identifier
	// Create makes the table beside it. Required.
	Create CreateFunc
	// Apply fills it. Required.
	Apply ApplyFunc
	// SeeAll makes the rows of every tenant visible for the rest of tx, where
	// the tables have row-level security. Nil where they have none.
	SeeAll func(ctx context.Context, tx pgx.Tx) error
}

// Progress is how far a replay has come.
type Progress struct {
	// Step is plan, replay, catch up or compare.
	Step string
	// Records of Total are read. Total grows with live traffic.
	Records, Total int64
	// Remaining is an estimate from the pace so far, 0 while there is none.
	Remaining time.Duration
}

// Config is what [Check] and [Run] need. Zero fields take their defaults.
type Config struct {
	// Projection is what to rebuild. Required.
	Projection Projection
	// Pool reaches the database of the live group. Up to Workers + 2
	// connections are used. Required.
	Pool *pgxpool.Pool
	// Brokers are the host:port addresses to start from. Required.
	Brokers []string
	// Contracts judges what stands on the log. Required.
	Contracts Contracts
	// Run names the replay in the scope group@run and in the table's name: 1 to
	// 26 lower-case letters and digits. Default a new ULID in lower case.
	Run string
	// Keep leaves the rebuilt table in place, for a look or a switch. Default
	// false: it is dropped.
	Keep bool
	// MaxChunkRecords is the most records of a partition in one transaction.
	// Default 1000, at most 10000.
	MaxChunkRecords int
	// Workers is the most transactions at once, each of another partition.
	// Default 2, at most 64.
	Workers int
	// CatchUpRecords is how few records may be missing when the snapshot for
	// the comparison is taken. A larger number holds the snapshot longer.
	// Default 10000.
	CatchUpRecords int64
	// StallTimeout ends a replay that gets no record for this long, and one
	// whose live group does not come to rest on what an operator released.
	// Default 30s.
	StallTimeout time.Duration
	// MaxDifferences is the most differing keys listed; all are counted.
	// Default 20. Negative lists none.
	MaxDifferences int
	// OnProgress is told how far it is, several times a second, never
	// concurrently. Nil is told nothing.
	OnProgress func(Progress)
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// Now gives the times of the scope's own rows. Default time.Now.
	Now func() time.Time
	// ClientOptions are passed on to the Kafka client, for TLS and SASL.
	ClientOptions []kgo.Opt
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Run == "" {
		c.Run = strings.ToLower(envelope.NewID())
	}
	c.MaxChunkRecords = cmp.Or(c.MaxChunkRecords, 1000)
	c.Workers = cmp.Or(c.Workers, 2)
	c.CatchUpRecords = cmp.Or(c.CatchUpRecords, 10_000)
	c.StallTimeout = cmp.Or(c.StallTimeout, 30*time.Second)
	c.MaxDifferences = cmp.Or(c.MaxDifferences, 20)
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("replay.Config.%s: %s", field, fmt.Sprintf(format, args...)))
}

func (c Config) validate() error {
	var p problems
	if c.Pool == nil {
		p.add("Pool", "it is nil; pass the pool of the database that holds the projection")
	}
	if len(c.Brokers) == 0 {
		p.add("Brokers", "it is empty; pass at least one host:port")
	}
	if c.Contracts == nil {
		p.add("Contracts", "it is nil; pass the catalogue from contract.Load")
	}
	if !regexp.MustCompile(`^[0-9a-z]{1,26}$`).MatchString(c.Run) {
		p.add("Run", "%q is not 1 to 26 lower-case letters and digits", c.Run)
	}
	c.validateNumbers(&p)
	c.Projection.validate(&p)
	return errors.Join(p...)
}

func (c Config) validateNumbers(p *problems) {
	if c.MaxChunkRecords < 1 || c.MaxChunkRecords > 10_000 {
		p.add("MaxChunkRecords", "%d is outside 1 to 10000", c.MaxChunkRecords)
	}
	if c.Workers < 1 || c.Workers > 64 {
		p.add("Workers", "%d is outside 1 to 64", c.Workers)
	}
	if c.CatchUpRecords < 0 {
		p.add("CatchUpRecords", "%d is negative", c.CatchUpRecords)
	}
	if c.StallTimeout < time.Second {
		p.add("StallTimeout", "%s is below 1s", c.StallTimeout)
	}
}

func (pr Projection) validate(p *problems) {
	for _, f := range []struct {
		field   string
		missing bool
	}{
		{"Name", pr.Name == ""},
		{"Group", pr.Group == ""},
		{"Sources", len(pr.Sources) == 0},
		{"Create", pr.Create == nil},
		{"Apply", pr.Apply == nil},
	} {
		if f.missing {
			p.add("Projection."+f.field, "it is missing")
		}
	}
	if len(pr.Live) != 2 || slices.Contains(pr.Live, "") {
		p.add("Projection.Live", "%q is no schema and table", []string(pr.Live))
	}
	seen := make(map[string]bool)
	for i, s := range pr.Sources {
		at := fmt.Sprintf("Projection.Sources[%d].", i)
		if s.Topic == "" || seen[s.Topic] {
			p.add(at+"Topic", "%q is empty or named twice", s.Topic)
		}
		if len(s.Types) == 0 {
			p.add(at+"Types", "it is empty; a source without types feeds nothing")
		}
		seen[s.Topic] = true
	}
}

// scope is the replay's name in the library's tables.
func (c Config) scope() string { return c.Projection.Group + "@" + c.Run }

// table is the rebuilt table: the live one's name, cut so that PostgreSQL's 63
// bytes hold the run.
func (c Config) table() pgx.Identifier {
	schema, name := c.Projection.Live[0], c.Projection.Live[1]
	suffix := "_r" + c.Run
	return pgx.Identifier{schema, name[:min(len(name), 63-len(suffix))] + suffix}
}

func (c Config) topics() []string {
	topics := make([]string, len(c.Projection.Sources))
	for i, s := range c.Projection.Sources {
		topics[i] = s.Topic
	}
	return topics
}
