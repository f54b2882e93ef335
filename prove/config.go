package prove

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"factline.dev/internal/devstack"
	"factline.dev/prove/report"
)

// Config is what [Slice] needs. Zero fields take their defaults.
type Config struct {
	// Binary and Args start a program that calls [RunChild] with its standard
	// input and output. Binary is required.
	Binary string
	Args   []string
	// Env are variables for it beside those of this process.
	Env []string
	// Postgres is the URL of a server to use, with CREATEDB and CREATEROLE.
	// Databases of a new name are made and dropped. Default an embedded server.
	Postgres string
	// Kafka are brokers to use, whose platform topics must be empty. Default an
	// embedded broker.
	Kafka []string
	// Seed decides workload and kill points. Default a random one, which the
	// report names.
	Seed uint64
	// Quotes is how many are accepted before the faults; each fault brings half
	// as many more. Default 20, at most 10000.
	Quotes int
	// Patience is how long the platform may take to come to rest after a step.
	// Default 60s.
	Patience time.Duration
	// HistoryFile receives what was recorded, as JSON. Default none.
	HistoryFile string
	// Keep leaves folder and databases for a look. Default false.
	Keep bool
	// OnHead is called once the stack stands, OnStep after each step.
	OnHead func(*report.Report)
	OnStep func(report.Step)
	// Progress is told of downloads.
	Progress devstack.ProgressFunc
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	c.Seed = seedOr(c.Seed)
	if c.Quotes == 0 {
		c.Quotes = 20
	}
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	c.OnHead, c.OnStep = toldOr(c.OnHead, c.OnStep)
	return c
}

// seedOr is the seed that was given, or a random one.
func seedOr(seed uint64) uint64 {
	if seed == 0 {
		return uint64(1 + rand.IntN(1_000_000)) //nolint:gosec // a seed to repeat a run by
	}
	return seed
}

// toldOr puts functions that do nothing in the place of nil.
func toldOr(onHead func(*report.Report), onStep func(report.Step)) (func(*report.Report), func(report.Step)) {
	if onHead == nil {
		onHead = func(*report.Report) {}
	}
	if onStep == nil {
		onStep = func(report.Step) {}
	}
	return onHead, onStep
}

func (c Config) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("prove.Config.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Binary == "" {
		refuse("Binary", "it is empty; pass a program that calls prove.RunChild")
	}
	if c.Quotes < 2 || c.Quotes > 10_000 {
		refuse("Quotes", "%d is outside 2 to 10000", c.Quotes)
	}
	if c.Patience < time.Second {
		refuse("Patience", "%s is below 1s", c.Patience)
	}
	return errors.Join(problems...)
}
