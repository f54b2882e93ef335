package prove

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/prove/fault"
	"factline.dev/prove/history"
)

// The servers that a client talks to.
const (
	toDatabase = "database"
	toBroker   = "broker"
)

// stormClient is a relay, a member or the writers, with networks of its own, so
// that each can be cut off from each of its servers by itself.
type stormClient struct {
	name     string
	networks map[string]*fault.Network
	pools    []*pgxpool.Pool
	// process is set where the client is one of its own.
	process *relayProcess
}

func (s *storm) newClient(name string, servers ...string) *stormClient {
	c := &stormClient{name: name, networks: make(map[string]*fault.Network)}
	for _, server := range servers {
		c.networks[server] = fault.NewNetwork(fault.NetworkConfig{Seed: s.dice.Uint64(), MinLife: s.cfg.MinLife, MaxLife: s.cfg.MaxLife})
	}
	s.clients = append(s.clients, c)
	return c
}

// pool reaches a database through the client's network.
func (c *stormClient) pool(ctx context.Context, url string, connections int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("prove: connect %s: %w", c.name, err)
	}
	cfg.MaxConns = connections
	cfg.ConnConfig.DialFunc = c.networks[toDatabase].Dial
	cfg.ConnConfig.RuntimeParams["application_name"] = "factline-storm " + c.name
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err == nil {
		c.pools = append(c.pools, pool)
	}
	return pool, err
}

// dialer leads a Kafka client through the network, whatever addresses the
// brokers advertise.
func (c *stormClient) dialer() kgo.Opt { return kgo.Dialer(c.networks[toBroker].Dial) }

// membership are the options of a member: a session that is over while it is
// cut off, and no long pause between two attempts to join, or the members would
// hardly ever be there at once while connections last a second.
func (c *stormClient) membership(session time.Duration, told *assignments) []kgo.Opt {
	return []kgo.Opt{
		c.dialer(), kgo.SessionTimeout(session), kgo.HeartbeatInterval(session / 6), kgo.RebalanceTimeout(2 * session),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) { told.add(c.name, given) }),
	}
}

// assignments notes what members are given. Safe for concurrent use.
type assignments struct {
	mu  sync.Mutex
	all []history.Assignment
}

func (a *assignments) add(member string, given map[string][]int32) {
	var names []string
	for topic, partitions := range given {
		for _, partition := range partitions {
			names = append(names, fmt.Sprintf("%s/%d", topic, partition))
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, history.Assignment{Member: member, Partitions: names, At: time.Now().UTC()})
}

func (a *assignments) taken() []history.Assignment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// cuts are the evidence of what was done to the client.
func (c *stormClient) cuts() (all []history.Cut) {
	for _, server := range []string{toDatabase, toBroker} {
		if n := c.networks[server]; n != nil {
			seen := n.Cuts()
			all = append(all, history.Cut{
				Client: c.name, Server: server, Connections: seen.Connections, Cut: seen.Cut, Busy: seen.Busy,
				Unanswered: seen.Unanswered, Torn: seen.Torn, Isolations: seen.Isolations,
				Silenced: seen.Silenced, Ignored: seen.Ignored,
			})
		}
	}
	return all
}

// close ends pools before networks: a pool waits for what it has lent.
func (c *stormClient) close() (errs []error) {
	for _, pool := range c.pools {
		pool.Close()
	}
	for _, network := range c.networks {
		errs = append(errs, network.Close())
	}
	return errs
}

// withDatabase is a URL with another database.
func withDatabase(text, database string) (string, error) {
	u, err := parseURL(text)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}

// withHost is a URL with another host and port.
func withHost(text, host string) (string, error) {
	u, err := parseURL(text)
	if err != nil {
		return "", err
	}
	u.Host = host
	return u.String(), nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" {
		return nil, errors.New("prove: find the database server: the URL is no postgres:// URL with a host; pass postgres://user:password@host:port/database")
	}
	return u, nil
}
