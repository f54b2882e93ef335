package benchmark

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
)

// RealKafka as [Config.Kafka] starts an Apache Kafka of its own.
const RealKafka = "real"

// Config says what to measure on. Zero fields take their defaults.
type Config struct {
	// Kafka is where the log is: host:port, several separated by commas,
	// [RealKafka], or empty for the embedded broker. Default the embedded one.
	Kafka string
	// Postgres is a URL of a role that may create databases. Default an embedded
	// server with fsync and synchronous_commit on.
	Postgres string
	// Events is how many the fastest subjects get per run; slower ones get a
	// fixed share, so that each takes seconds. Default 300000.
	Events int
	// Only names the subjects to measure, of those a benchmark has. Default all.
	Only []string
	// Runs is how many are counted. Default 3.
	Runs int
	// WarmupEvents is how many events the uncounted first round takes for each
	// subject. Default a quarter of Events. Negative leaves the round out.
	WarmupEvents int
	// LatencySeconds is how long a rate is held in the latency benchmark.
	// Default 10.
	LatencySeconds int
	// PublishedRows are how many published rows the outboxes of the growth benchmark
	// hold beside the empty one. Default 1,000,000 and 5,000,000.
	PublishedRows []int
	// SnapshotSeconds is how long a session has held its snapshot of an outbox when
	// the growth benchmark measures that one. Default 10.
	SnapshotSeconds int
	// Child starts a program that calls [RunChild]: its path and arguments. Without
	// it memory cannot be measured.
	Child []string
	// Up starts "factline up": its path and arguments. Without it the start of the
	// platform cannot be measured.
	Up []string
	// Peers are further subjects. Default none.
	Peers []Peer
	// PostgresSettings are further settings of the embedded server, which win over
	// ours. Default none.
	PostgresSettings map[string]string
	// Logger is told what is being measured. Nil discards.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	c.Events = cmp.Or(c.Events, 300_000)
	c.Runs = cmp.Or(c.Runs, 3)
	c.WarmupEvents = cmp.Or(c.WarmupEvents, max(c.Events/4, 1))
	c.LatencySeconds = cmp.Or(c.LatencySeconds, 10)
	c.SnapshotSeconds = cmp.Or(c.SnapshotSeconds, 10)
	if c.PublishedRows == nil {
		c.PublishedRows = []int{1_000_000, 5_000_000}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var problems []error
	if c.Events < 100 {
		problems = append(problems, fmt.Errorf("benchmark.Config.Events: %d is below 100, which measures nothing", c.Events))
	}
	if c.Runs < 1 {
		problems = append(problems, fmt.Errorf("benchmark.Config.Runs: %d is below 1", c.Runs))
	}
	if c.LatencySeconds < 1 {
		problems = append(problems, fmt.Errorf("benchmark.Config.LatencySeconds: %d is below 1", c.LatencySeconds))
	}
	if c.SnapshotSeconds < 1 {
		problems = append(problems, fmt.Errorf("benchmark.Config.SnapshotSeconds: %d is below 1", c.SnapshotSeconds))
	}
	for _, rows := range c.PublishedRows {
		if rows < 1 {
			problems = append(problems, fmt.Errorf("benchmark.Config.PublishedRows: %d is below 1; the empty outbox is measured in any case", rows))
		}
	}
	return errors.Join(problems...)
}
