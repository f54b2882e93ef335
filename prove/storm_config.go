package prove

import (
	"errors"
	"fmt"
	"time"

	"factline.dev/internal/devstack"
	"factline.dev/prove/report"
)

// StormConfig is what [Storm] needs. Zero fields take their defaults.
type StormConfig struct {
	// Binary and Args start a program that calls [RunRelay] with its standard
	// input and output. With it the relays of the writers' outbox are processes,
	// which are also paused by SIGSTOP and killed. Default all relays run here and
	// are only cut off.
	Binary string
	Args   []string
	// Postgres is the URL of a server to use, with CREATEDB. Databases of a new
	// name are made and dropped. Default an embedded server.
	Postgres string
	// Kafka are brokers to use. Topics of a new name are made and deleted.
	// Default an embedded broker.
	Kafka []string
	// For is how long connections are cut. Default 5m, at least 10s.
	For time.Duration
	// Drain is how long everything may take after that until nothing waits any
	// more. Default 30s.
	Drain time.Duration
	// MinLife and MaxLife are how long a connection lives. Default 500ms and
	// 1500ms.
	MinLife, MaxLife time.Duration
	// Gap is the pause between two mishaps: a relay, a member or everyone cannot
	// reach database or broker for 1 to 5 s, or a relay is paused or killed.
	// Default 1s. Negative has none.
	Gap time.Duration
	// Silence lets connections to a database, instead of the whole database, go
	// silent for good while new ones pass, for everyone at the start and for one
	// of them now and then. A part without a deadline for its statements hangs on
	// that. Default false.
	Silence bool
	// Rate is how many transactions writers begin in a second. Default 100, at
	// most 1000.
	Rate float64
	// Aggregates is how many aggregates have events. Default 500.
	Aggregates int
	// Seed decides workload, lives and mishaps. Default a random one, which
	// the report names.
	Seed uint64
	// HistoryFile receives what was recorded, as JSON. Default none.
	HistoryFile string
	// Keep leaves folder, databases and topics for a look. The folder, with the
	// log of relays and members, stays as well where the proof has not passed.
	// Default false.
	Keep bool
	// OnHead is called once the stack stands, OnStep after each step.
	OnHead func(*report.Report)
	OnStep func(report.Step)
	// Progress is told of downloads.
	Progress devstack.ProgressFunc
}

// WithDefaults returns c with every unset field at its default.
func (c StormConfig) WithDefaults() StormConfig {
	for _, d := range []struct {
		field     *time.Duration
		otherwise time.Duration
	}{
		{&c.For, 5 * time.Minute},
		{&c.Drain, 30 * time.Second},
		{&c.Gap, time.Second},
		{&c.MinLife, 500 * time.Millisecond},
		{&c.MaxLife, 1500 * time.Millisecond},
	} {
		if *d.field == 0 {
			*d.field = d.otherwise
		}
	}
	if c.Rate == 0 {
		c.Rate = 100
	}
	if c.Aggregates == 0 {
		c.Aggregates = 500
	}
	c.Seed = seedOr(c.Seed)
	c.OnHead, c.OnStep = toldOr(c.OnHead, c.OnStep)
	return c
}

func (c StormConfig) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("prove.StormConfig.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.For < 10*time.Second {
		refuse("For", "%s is below 10s, too short for each fault to fire", c.For)
	}
	if c.Drain < time.Second {
		refuse("Drain", "%s is below 1s", c.Drain)
	}
	if c.MinLife < time.Millisecond || c.MaxLife < c.MinLife {
		refuse("MaxLife", "%s is below MinLife %s, or that is below 1ms", c.MaxLife, c.MinLife)
	}
	if !(c.Rate > 0 && c.Rate <= 1000) { // NaN too
		refuse("Rate", "%g is outside 0 to 1000", c.Rate)
	}
	if c.Aggregates < 3 || c.Aggregates > 100_000 {
		refuse("Aggregates", "%d is outside 3 to 100000", c.Aggregates)
	}
	return errors.Join(problems...)
}
