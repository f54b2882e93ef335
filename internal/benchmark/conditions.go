package benchmark

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Conditions are what the figures hold for.
type Conditions struct {
	At       time.Time `json:"at"`
	Revision string    `json:"revision,omitempty"`
	Go       string    `json:"go"`
	OS       string    `json:"os"`
	CPUs     int       `json:"cpus"`
	// Postgres is the server's version; Settings those of its settings that
	// decide about speed.
	Postgres string            `json:"postgres"`
	Settings map[string]string `json:"settings"`
	// Kafka names the broker and its version.
	Kafka   string `json:"kafka"`
	Brokers int    `json:"brokers"`
	// Replication warns where one broker shows none.
	Replication string `json:"replication"`
	EventBytes  int    `json:"eventBytes"`
	Aggregates  int    `json:"aggregates"`
	Partitions  int    `json:"partitions"`
	Compression string `json:"compression"`
	Acks        string `json:"acks"`
}

func (s *stack) conditions(ctx context.Context) (Conditions, error) {
	c := Conditions{
		At: time.Now().UTC().Truncate(time.Second), Revision: revision(), Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		EventBytes: eventBytes, Aggregates: aggregates, Partitions: partitions, Compression: "zstd", Acks: "all",
		Settings: map[string]string{},
	}
	err := s.admin.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&c.Postgres)
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "wal_level"} {
		if err == nil {
			var value string
			err = s.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
			c.Settings[name] = value
		}
	}
	if err != nil {
		return c, fmt.Errorf("benchmark: read the settings of PostgreSQL: %w", err)
	}
	return c, s.kafkaConditions(ctx, &c)
}

func (s *stack) kafkaConditions(ctx context.Context, c *Conditions) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...))
	if err != nil {
		return fmt.Errorf("benchmark: ask the cluster for its version: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("benchmark: list brokers: %w", err)
	}
	c.Kafka, c.Brokers = s.kafka, len(brokers)
	if versions, err := admin.ApiVersions(ctx); err == nil && c.Kafka == "" {
		versions.Each(func(v kadm.BrokerApiVersions) { c.Kafka = "Kafka " + v.VersionGuess() })
	}
	c.Replication = "several brokers; see the topic's replication factor"
	if c.Brokers == 1 {
		c.Replication = "none: acks=all of one broker waits for that broker alone"
	}
	return nil
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
