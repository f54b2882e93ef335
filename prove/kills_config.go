package prove

import (
	"errors"
	"fmt"
	"time"

	"factline.dev/internal/devstack"
	"factline.dev/prove/report"
)

// KillsConfig is what [Kills] needs. Zero fields take their defaults.
type KillsConfig struct {
	// Binary and Args start `factline up`; the prover adds the flags that name
	// folder and ports. Binary is required.
	Binary string
	Args   []string
	// Env are variables for it beside those of this process.
	Env []string
	// Find tells where the stack of a folder is: the URLs of its databases by
	// service, and its brokers. Required.
	Find func(folder string) (databases map[string]string, brokers []string, err error)
	// Folder receives data and logs. It must be empty or missing, and stays.
	// Default a temporary one, which is removed when the proof passes.
	Folder string
	// Times is how often all of it is killed. Default 10, at most 1000.
	Times int
	// Rate is how many quotes are begun in a second on average, while it is up
	// and while it is down. Default 25, at most 200. Time and rate are limited by
	// what the embedded broker keeps.
	Rate float64
	// Seed decides workload and moments. Default a random one, which the report
	// names.
	Seed uint64
	// Patience is how long a start may take, and how long it may take to come to
	// rest after the last one. Default 2m.
	Patience time.Duration
	// OnHead is called before the first step, OnStep after each.
	OnHead func(*report.Report)
	OnStep func(report.Step)
	// Progress is told of downloads.
	Progress devstack.ProgressFunc
}

// WithDefaults returns c with every unset field at its default.
func (c KillsConfig) WithDefaults() KillsConfig {
	if c.Times == 0 {
		c.Times = 10
	}
	if c.Rate == 0 {
		c.Rate = 25
	}
	c.Seed = seedOr(c.Seed)
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	c.OnHead, c.OnStep = toldOr(c.OnHead, c.OnStep)
	return c
}

func (c KillsConfig) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("prove.KillsConfig.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Binary == "" {
		refuse("Binary", "it is empty; pass a program that runs factline up")
	}
	if c.Find == nil {
		refuse("Find", "it is nil; pass a function that finds the stack of a folder")
	}
	if c.Times < 1 || c.Times > 1000 {
		refuse("Times", "%d is outside 1 to 1000", c.Times)
	}
	if !(c.Rate > 0 && c.Rate <= 200) { // NaN too
		refuse("Rate", "%g is outside 0 to 200", c.Rate)
	}
	if c.Patience < time.Second {
		refuse("Patience", "%s is below 1s", c.Patience)
	}
	return errors.Join(problems...)
}
