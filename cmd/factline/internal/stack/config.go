package stack

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"factline.dev/internal/devstack"
)

// Ports that nothing common uses, so that a PostgreSQL or a Kafka of one's own
// may run beside.
const (
	DefaultPostgresPort = 15432
	DefaultBrokerPort   = 19092
	DefaultHTTP         = "127.0.0.1:8080"
)

// RetentionBytes is what all topics of the embedded broker may hold together:
// it reads its whole log into memory at start.
const RetentionBytes = 256 << 20

// Config says how to run a stack. The zero value is `factline up`.
type Config struct {
	// Folder keeps data, secrets, logs and stack.json. Default
	// [devstack.StateDir].
	Folder string
	// Fresh empties the folder first.
	Fresh bool `show:"-"`
	// PostgresPort of the embedded server. Default 15432. Negative picks a free
	// one.
	PostgresPort int
	// BrokerPort of the embedded broker. Default 19092. Negative picks a free one.
	BrokerPort int
	// HTTP is the address of the one HTTP port. Default 127.0.0.1:8080; port 0
	// picks a free one.
	HTTP string
	// Postgres is the URL of a server to use instead of the embedded one. Its
	// role needs CREATEDB and CREATEROLE.
	Postgres string `show:"-"`
	// Kafka are the addresses of a cluster to use instead of the embedded broker.
	Kafka []string `show:"-"`
	// LineDelay is how long an order line takes. Default 200ms. Negative takes
	// no time.
	LineDelay time.Duration
	// LeaseTTL of the relays: short, so that a start after kill -9 goes on at
	// once. Default 2s.
	LeaseTTL time.Duration
}

// WithDefaults returns c with every unset field at its default. It fails where
// the user has no state folder.
func (c Config) WithDefaults() (Config, error) {
	if c.Folder == "" {
		folder, err := devstack.StateDir()
		if err != nil {
			return c, err
		}
		c.Folder = folder
	}
	folder, err := filepath.Abs(c.Folder)
	if err != nil {
		return c, fmt.Errorf("stack: find folder %s: %w", c.Folder, err)
	}
	c.Folder = folder
	c.PostgresPort = cmp.Or(c.PostgresPort, DefaultPostgresPort)
	c.BrokerPort = cmp.Or(c.BrokerPort, DefaultBrokerPort)
	c.HTTP = cmp.Or(c.HTTP, DefaultHTTP)
	c.LineDelay = cmp.Or(c.LineDelay, 200*time.Millisecond)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 2*time.Second)
	return c, nil
}

// ConfigError lists what is wrong with the flags that made a [Config].
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

func (c Config) validate() error {
	var problems []error
	refuse := func(flag, format string, args ...any) {
		problems = append(problems, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	if c.PostgresPort > 65535 {
		refuse("postgres-port", "%d is above 65535", c.PostgresPort)
	}
	if c.BrokerPort > 65535 {
		refuse("kafka-port", "%d is above 65535", c.BrokerPort)
	}
	if _, _, err := net.SplitHostPort(c.HTTP); err != nil {
		refuse("http", "%q is no host:port; 127.0.0.1:8080 is one", c.HTTP)
	}
	if c.Postgres != "" && !strings.HasPrefix(c.Postgres, "postgres://") && !strings.HasPrefix(c.Postgres, "postgresql://") {
		refuse("postgres", "it does not begin with postgres://; postgres://user:password@host:5432/postgres does")
	} else if _, err := url.Parse(c.Postgres); err != nil {
		refuse("postgres", "it is no URL; write special characters of the password as %%XX, such as %%40 for @")
	}
	for _, addr := range c.Kafka {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			refuse("kafka", "%q is no host:port; give host:port[,host:port]", addr)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &ConfigError{errors.Join(problems...)}
}

// port turns the sign of a configured port into devstack's: 0 picks one.
func port(configured int) int { return max(configured, 0) }
