package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/runbook"
)

// Target says which platform to look at. The zero value is the last stack of
// the default folder.
type Target struct {
	// Folder of a stack. Default as in [Config].
	Folder string
	// Postgres is the URL of a server that holds the services' databases, with a
	// role that may read them. Default that of the stack.
	Postgres string
	// Kafka are the brokers. Default those of the stack.
	Kafka []string
}

// NotRunningError says that a stack was started once and does not answer.
type NotRunningError struct {
	State State
	Err   error
}

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("stack: reach the last stack: it does not run (process %d, started %s; PostgreSQL on %s takes no connections); start it again, it goes on where it ended",
		e.State.PID, e.State.StartedAt.UTC().Format(time.RFC3339), e.State.Postgres)
}

func (e *NotRunningError) Unwrap() error { return e.Err }

// Connection reaches the databases of all services, and their brokers.
type Connection struct {
	services []runbook.Service
	urls     []string
	brokers  []string
	log      *runbook.Log
}

// Find returns the databases' URLs by service and the brokers, without reaching
// for them. Errors: [*NotFoundError].
func (t Target) Find() (urls map[string]string, brokers []string, err error) {
	urls, brokers, _, err = t.find()
	return urls, brokers, err
}

func (t Target) find() (urls map[string]string, brokers []string, state State, err error) {
	cfg, err := Config{Folder: t.Folder}.WithDefaults()
	if err != nil {
		return nil, nil, state, err
	}
	state, err = ReadState(cfg.Folder)
	if t.Postgres != "" {
		urls, err = serviceURLs(t.Postgres)
	} else if err == nil {
		urls, err = state.Connections()
	}
	brokers = t.Kafka
	if len(brokers) == 0 {
		brokers = state.Brokers
	}
	return urls, brokers, state, err
}

// Connect opens a pool for each service and checks that it answers. Errors:
// [*NotFoundError], [*NotRunningError]. Close the connection.
func Connect(ctx context.Context, t Target) (*Connection, error) {
	urls, brokers, state, err := t.find()
	if err != nil {
		return nil, err
	}
	c := &Connection{brokers: brokers}
	if err := c.open(ctx, urls); err != nil {
		c.Close()
		if t.Postgres == "" && (errors.Is(err, syscall.ECONNREFUSED) || !alive(state.PID)) {
			return nil, &NotRunningError{State: state, Err: err}
		}
		return nil, err
	}
	return c, nil
}

// alive reports whether a process with this id exists, whoever runs it.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}

func (c *Connection) open(ctx context.Context, urls map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		config, err := pgxpool.ParseConfig(urls[name])
		if err != nil {
			return fmt.Errorf("stack: connect to the database of %s: %w", name, err)
		}
		config.MaxConns = 2
		config.ConnConfig.ConnectTimeout = 5 * time.Second
		config.ConnConfig.RuntimeParams["application_name"] = "factline"
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return fmt.Errorf("stack: connect to the database of %s: %w", name, err)
		}
		c.services = append(c.services, runbook.Service{Name: name, Pool: pool})
		c.urls = append(c.urls, urls[name])
		if err := pool.Ping(ctx); err != nil {
			return explainPostgres(name, err)
		}
	}
	return nil
}

// Services are all services with their pools, by name.
func (c *Connection) Services() []runbook.Service { return c.services }

// URLs are the connection URLs, for a scrubber to learn.
func (c *Connection) URLs() []string { return c.urls }

// Only returns the service of that name, or all for an empty one.
func (c *Connection) Only(name string) ([]runbook.Service, error) {
	if name == "" {
		return c.services, nil
	}
	var known []string
	for _, s := range c.services {
		if s.Name == name || strings.TrimSuffix(s.Name, "-service") == name {
			return []runbook.Service{s}, nil
		}
		known = append(known, s.Name)
	}
	return nil, fmt.Errorf("there is no service %q; there are %s", name, strings.Join(known, ", "))
}

// Log returns a reader of the brokers, made once.
func (c *Connection) Log() (*runbook.Log, error) {
	if c.log != nil {
		return c.log, nil
	}
	if len(c.brokers) == 0 {
		return nil, errors.New("stack: reach the broker: no address is known; name it with --kafka host:port")
	}
	log, err := runbook.NewLog(c.brokers)
	c.log = log
	return log, err
}

// Close ends all connections.
func (c *Connection) Close() {
	for _, s := range c.services {
		s.Pool.Close()
	}
	if c.log != nil {
		c.log.Close()
	}
}
