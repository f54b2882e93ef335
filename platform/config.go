package platform

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/outbox"
)

// Config is what [Run] needs. Zero fields take their defaults.
type Config struct {
	// Databases are the connection URLs by service name, as [Provision] returns
	// them. One for each of Services is required.
	Databases map[string]string
	// Brokers are the host:port addresses to start from. Required.
	Brokers []string
	// Listen is the host:port that HTTP is served on. Default 127.0.0.1:8080.
	// Ignored with Listener.
	Listen string
	// Listener serves HTTP on what is already open, for tests. Run closes it.
	Listener net.Listener
	// Services are those to run, by name. Default all, see [Services].
	Services []string
	// LineDelay is how long the fulfilment of a line takes while no fulfilment
	// adapter stands in between. Default 200ms. Negative fulfils at once.
	LineDelay time.Duration
	// Contracts is the catalogue. Default the platform's own.
	Contracts *contract.Catalogue
	// MaxConns is how many connections a service's pool may open. Default 10.
	// At least 8.
	MaxConns int
	// DrainTimeout is how long open requests may take after cancellation.
	// Default 10s.
	DrainTimeout time.Duration
	// SkipSeed starts with empty mirrors.
	SkipSeed bool
	// Ready is called once HTTP answers, with the address it listens on. Nil is
	// not called.
	Ready func(addr string)
	// Relay and Consumer preset the relays and consumers of all services: chunk
	// sizes, intervals, client options. What belongs to a service is overridden.
	Relay    outbox.RelayConfig
	Consumer consumer.Config
	// Hooks are passed to every relay and consumer, for fault injection.
	Hooks any
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// Registerer and Gatherer hold the metrics that /metrics shows. Default a
	// registry of their own.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	// Now is the clock of business times. Default time.Now.
	Now func() time.Time
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if len(c.Services) == 0 {
		c.Services = Services()
	}
	if c.LineDelay == 0 {
		c.LineDelay = 200 * time.Millisecond
	}
	c.LineDelay = max(c.LineDelay, 0)
	if c.MaxConns == 0 {
		c.MaxConns = 10
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil || c.Gatherer == nil {
		registry := prometheus.NewRegistry()
		c.Registerer, c.Gatherer = registry, registry
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("platform.Config.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if len(c.Brokers) == 0 {
		refuse("Brokers", "it is empty; pass at least one host:port")
	}
	if c.MaxConns < 8 {
		refuse("MaxConns", "%d is below 8, what a relay and the consumers of a service need", c.MaxConns)
	}
	known := Services()
	for _, name := range c.Services {
		switch {
		case !slices.Contains(known, name):
			refuse("Services", "%q is unknown; there are %s", name, strings.Join(known, ", "))
		case c.Databases[name] == "":
			refuse("Databases", "there is none for %s (%s); pass what Provision returned", name, strings.Join(slices.Sorted(maps.Keys(c.Databases)), ", "))
		}
	}
	return errors.Join(problems...)
}
